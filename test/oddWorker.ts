// What only a process itself can set.
process.umask(0o077);
