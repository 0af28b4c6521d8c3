//! The agent on every release it is meant for: PostgreSQL 10 to 18, Pacemaker 2.0, 2.1 and 3.0, and beside the shell
//! agent. Each row of the matrix is one real cluster; `report` writes what became of it to target/matrix/matrix.md.
//!
//! It needs root and what `scripts/matrix-setup` fetches; `make test-matrix` does both.

mod pacemaker;
mod parts;
mod postgresql;
mod report;
mod scenario;
mod side_by_side;
mod site;
