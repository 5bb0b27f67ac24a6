// Stands in for a window: creates an instance and ends by SIGKILL, at the report that is named or when all is done.
import { LocalProvider } from '../../src/providers/local/localProvider.ts';

const [config, environment, spec, killAt] = JSON.parse(process.argv[2] ?? '');
const kill = () => process.kill(process.pid, 'SIGKILL');
const provider = new LocalProvider(config, environment);
await provider.initialize();
await provider.createInstance(spec, {
  signal: new AbortController().signal,
  report: message => {
    if (message === killAt) kill();
  },
});
kill();
