"""Put one payments stack into every environment, and prove it is still what it was.

The packages, from the command line down to what imports nothing of ours; each imports only those below it::

    cli           what a person types: options, help, how a command fails
    commands      one module a command: plan, apply, destroy, drift, parity, status, outputs, graph, manifest …
    planning      what comes before the first change: the survey, its checks, permits, plan files, approval
    execution     the engine run for a command: events, signals, waits, the rescue of a record
    findings      what drifted: where to edit, what may be put back, waived or accepted, and who changed it
    evidence      a record held against its files, its earlier versions, its certificate and AWS
    session       an invocation becomes an environment that is opened and checked: target, client, store, screen
    sandbox       the embedded AWS behind --sandbox: started, furnished, stopped
    stack         a configuration and a network become the resources the product is made of
    render        reports and progress as text, on a live terminal, or as JSON Lines
    manifest      the record of what was made, in a folder or in S3: versions, journal, lock
    config        environments/*.toml become checked values
    reconcilers   one AWS type a file: observe it, create, update and delete it by one call a step
    names         the id of every resource, and the limits of AWS on it
    engine        observe, plan, converge, delete, drift: knows nothing of AWS
    aws           the client: who we are, reads, refusals, policies
    clock         the clocks of waiting
    errors        the tree of errors, the exit codes, the status words
    safety        what others wrote or placed, made harmless: files, credentials, open networks
    regions       the forms of regions and partitions
    threads       calls in the background, and with a timeout
"""

__version__ = "0.1.0"
