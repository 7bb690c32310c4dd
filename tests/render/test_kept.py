from __future__ import annotations

import io

from tapctl.errors import Status, TapctlError
from tapctl.render.jsonl import JsonScreen
from tapctl.render.kept import KeptScreen
from tapctl.render.screen import Target, Verdict
from tapctl.render.terminal import OutputStream


def test_what_is_kept_is_shown_later_as_if_it_were_shown_now() -> None:
    def use(screen: KeptScreen | JsonScreen) -> None:
        screen.target(Target("dev", "dev", identity="user/dana"))
        screen.warn("mind the gap")
        screen.output("name", "value")
        screen.error(TapctlError("no"), state="nothing was changed")
        screen.verdict(Verdict("drift", Target("dev", "dev"), Status.OK, 0))

    def streams() -> tuple[io.StringIO, io.StringIO, JsonScreen]:
        out, err = io.StringIO(), io.StringIO()
        return out, err, JsonScreen(io.StringIO(), OutputStream(out, "out"), OutputStream(err, "err"), verb="drift")

    out, err, direct = streams()
    use(direct)
    later_out, later_err, later = streams()
    kept = KeptScreen()
    kept.note("is dropped")
    use(kept)
    assert later_out.getvalue() == later_err.getvalue() == ""
    kept.show_on(later)
    assert (later_out.getvalue(), later_err.getvalue()) == (out.getvalue(), err.getvalue())


def test_the_remark_is_the_verdict_in_a_few_words() -> None:
    kept = KeptScreen()
    assert kept.remark == "looked at"
    kept.screen.verdict(Verdict("drift", Target("dev", "dev"), Status.OK, 0, summary="all is well"))
    assert kept.remark == "OK · all is well"
