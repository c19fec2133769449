"""What an object leaves on the ground: shadows that go where it goes."""
