"""A clip and prompts or masks in, masks or a clean clip out: resumable at every stage."""
