/** A whole public key that nobody holds the private part of. */
export const exampleKey =
  'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJbKb1tFhTyQoZc5w8nq1F2n2gq4kQ0vBq0Rk8Y2m1V ops@example';
