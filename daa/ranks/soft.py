def soft_ranks(values, temperature):
    raise NotImplementedError
