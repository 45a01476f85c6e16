"""One unit of work spread over several processes, each with a part of the weights."""
