// A hierarchical law of gains. The data say which coefficients there are and what their priors are.
data {
  int<lower=1> n;                            // rows
  int<lower=1> q;                            // coefficients
  vector[n] y;                               // gains, turned so that their known errors are independent
  vector<lower=0>[n] variance;               // the variances of these errors
  int<lower=0> nonzero;
  vector[nonzero] w;                         // the model matrix, turned alike, in compressed rows
  array[nonzero] int v;
  array[n + 1] int u;
  vector[q] fixed_mean;                      // priors of fixed effects; 0 for effects of groups
  vector<lower=0>[q] fixed_sd;
  int<lower=0> n_tau;                        // standard deviations
  array[n_tau] int<lower=1, upper=4> family; // 1 half-normal, 2 half-Cauchy, 3 half-Student, 4 exponential
  vector<lower=0>[n_tau] nu;                 // degrees of freedom of family 3
  vector<lower=0>[n_tau] scale;              // scale, of family 4 the mean
  int<lower=0> n_rho;                        // correlations of intercepts with slopes
  vector<lower=0>[n_rho] eta;
  array[q] int<lower=0, upper=n_tau> tau_of; // the standard deviation of each effect; 0 for fixed ones
  array[q] int<lower=0, upper=n_rho> rho_of; // its correlation with another; 0 without
  array[q] int<lower=0, upper=q> partner;    // that other
  int<lower=0, upper=n_tau> residual;        // the standard deviation of the residual; 0 without
}
parameters {
  vector<lower=0>[n_tau] tau;
  vector<lower=-1, upper=1>[n_rho] rho;
  vector[q] z;
}
transformed parameters {
  vector[q] effect;
  for (j in 1:q) {
    if (tau_of[j] == 0)
      effect[j] = fixed_mean[j] + fixed_sd[j] * z[j];
    else if (rho_of[j] == 0)
      effect[j] = tau[tau_of[j]] * z[j];
    else
      effect[j] = tau[tau_of[j]] * (rho[rho_of[j]] * z[partner[j]] + sqrt(1 - square(rho[rho_of[j]])) * z[j]);
  }
}
model {
  vector[n] total = variance;
  if (residual > 0)
    total += square(tau[residual]);
  z ~ std_normal();
  for (t in 1:n_tau) {
    if (family[t] == 1)
      tau[t] ~ normal(0, scale[t]);
    else if (family[t] == 2)
      tau[t] ~ cauchy(0, scale[t]);
    else if (family[t] == 3)
      tau[t] ~ student_t(nu[t], 0, scale[t]);
    else
      tau[t] ~ exponential(1 / scale[t]);
  }
  for (r in 1:n_rho)
    target += beta_lpdf((rho[r] + 1) / 2 | eta[r], eta[r]);
  y ~ normal(csr_matrix_times_vector(n, q, w, v, u, effect), sqrt(total));
}
