"""Tools of the development: generated pages and data, and the runner of the tests."""
