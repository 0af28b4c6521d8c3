//! Every file in `crm-examples`, unchanged, in a real cluster: the tool it is written for loads it, the tools have
//! nothing to say against it, the cluster comes up as the file promises, and fails over once under write load.
//!
//! Each test boots a cluster of its own and needs root. A test that cannot run fails and says why.

mod loading;
mod site;
mod story;
mod table;
