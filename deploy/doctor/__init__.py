"""`make doctor`: looks at the configuration and the machine, and says what is wrong or unsafe and how to mend it.

May import what deploy may. It changes nothing, and works with and without a running stack.
"""
