"""Forgetting in a mixture of two modes, an old task and a new one: flows, bounds, replay, methods.

Definition: whitened space, one line through both means. Old mode p_o = N(0, 1), new mode
p_n = N(separation, 1), target p* = alpha p_o + (1 - alpha) p_n with the old share alpha; learner
q = beta N(m_o, 1) + (1 - beta) N(m_n, 1) with beta = sigmoid(phi). SFT is the forward
KL(p_n || q), RL the reverse KL(q || p*). By symmetry means that start on the line stay on it, so
one dimension is exact for any; a shared covariance other than I only changes the unit of length.
Source: the abstraction is that of Chen et al. 2025 (arXiv 2510.18874) and of Balasubramanian and
Kasiviswanathan 2026 (arXiv 2603.12163), of which the abstract was available; every formula here is
derived anew, and none is called the paper's.
Cost: microseconds to milliseconds a call; a batch of a hundred flows takes seconds.
"""
