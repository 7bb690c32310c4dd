"""The definition of the product: one configuration and one networking contract become the wanted resources."""
