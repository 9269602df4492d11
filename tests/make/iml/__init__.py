"""A runner for Make's app files: there is no public one, so the app is tried with this, against the real service.

It does what Make's documentation says and no more. Whatever it does not know (a function, a directive, a root variable,
a type of parameter) raises `Unknown`, so that nothing passes because it was not looked at.
"""
