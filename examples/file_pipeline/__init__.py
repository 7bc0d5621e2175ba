"""A file pipeline: text files are uploaded, titled and summarised, whatever is killed meanwhile."""
