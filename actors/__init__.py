"""Five roles as Ray actors round plain classes, the arena that wires them, and their tools."""
