"""What engine and learner compute on, and in which number format."""

from typing import Literal

Device = Literal["auto", "cpu", "cuda"]
"""`auto` = a GPU where there is one."""
Dtype = Literal["auto", "bfloat16", "float32"]
"""`auto` = bfloat16 where the device has arithmetic for it, else float32."""
