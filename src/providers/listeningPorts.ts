/** Pure: the ports in the kernel's tables of sockets. A container's own name server (127.0.0.11) is left out. */
export function listeningPorts(tables: string): number[] {
  const ports = tables.split('\n').flatMap(line => {
    const [, address = '', port = ''] = /^\s*\d+: ([0-9A-F]{8,32}):([0-9A-F]{4}) \S+ 0A /.exec(line) ?? [];
    return address === '' || address === '0B00007F' ? [] : [Number.parseInt(port, 16)];
  });
  return [...new Set(ports)].sort((a, b) => a - b);
}
