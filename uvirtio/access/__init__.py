"""How bytes are reached: register views, the tracing view around them, DMA memory, interrupts, the clock, the
one bounded wait, the fence. Everything above works on these seams and never knows which bus is underneath."""
