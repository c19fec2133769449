"""Files and streams in and out: the only package that knows PyAV."""
