// The frame's script.
