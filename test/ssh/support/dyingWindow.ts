// Stands in for a window that has a connection and a forwarded port open: says so, and ends by SIGKILL when it is told.
import { ForwardedPort } from '../../../src/providers/ssh/forwardedPort.ts';
import { SshConnection } from '../../../src/providers/ssh/sshConnection.ts';

const connection = new SshConnection('dying', { host: process.argv[2] ?? '' });
await ForwardedPort.open(connection, 22);
const call = await connection.start('echo open; cat');
call.stdout.pipe(process.stdout);
process.stdin.once('data', () => process.kill(process.pid, 'SIGKILL'));
