"""The stack: a configuration and a network become the resources that the product is made of."""
