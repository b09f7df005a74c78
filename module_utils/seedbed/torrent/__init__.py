"""The BEPs as pure functions, and the types of everything that crosses a border."""
