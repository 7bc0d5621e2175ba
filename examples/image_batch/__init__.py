"""A batch of images, each made smaller once, however often the program dies."""
