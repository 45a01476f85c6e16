"""The model whose sampling errors are normal with a known covariance."""
