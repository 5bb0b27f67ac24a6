// @ts-check
// Runs inside an extension host: the life of a local instance, through the same gate that a click goes through.
const assert = require('node:assert/strict');
const vscode = require('vscode');

exports.run = async () => {
  const extension = vscode.extensions.getExtension('remote-swarm.remote-swarm');
  assert(extension, 'the extension is not installed');
  const core = await (await extension.activate()).swarm();

  const commands = await vscode.commands.getCommands(true);
  /** @type {{ commands: { command: string }[]; languageModelTools: { name: string }[] }} */
  const contributes = extension.packageJSON.contributes;
  const contributed = contributes.commands.map(({ command }) => command);
  assert.deepEqual(
    contributed.filter(command => !commands.includes(command)),
    [],
    'commands without a handler',
  );
  const tools = contributes.languageModelTools.map(({ name }) => name);
  const registered = vscode.lm.tools.map(tool => tool.name);
  assert.deepEqual(
    tools.filter(name => !registered.includes(name)),
    [],
    'tools without a handler',
  );

  const call = {
    signal: AbortSignal.timeout(120_000),
    report: () => {},
    caller: 'person',
    actor: 'test',
    confirm: async () => true,
  };
  /** @type {(name: string, input: unknown) => Promise<any>} */
  const ask = (name, input) => core.gate.invoke(name, input, call);
  const { id } = await ask('create_swarm_instance', { name: 'Desktop', provider: 'local' });
  try {
    const { url } = await ask('open_swarm_instance', { instanceId: id });
    assert.equal((await fetch(url, { redirect: 'manual' })).status, 302, 'the editor does not let its token in');
    assert.equal((await fetch(new URL(`/${id}/`, url))).status, 403, 'the editor lets everybody in');
    const written = await ask('run_in_instance', { instanceId: id, command: 'echo kept > kept.txt' });
    assert.equal(written.exitCode, 0);
    await ask('stop_swarm_instance', { instanceIds: [id] });
    await ask('start_swarm_instance', { instanceIds: [id] });
    await ask('delete_swarm_instance', { instanceIds: [id] });
    await ask('restore_swarm_instance', { instanceIds: [id] });
    await ask('start_swarm_instance', { instanceIds: [id] });
    const found = await ask('run_in_instance', { instanceId: id, command: 'cat kept.txt' });
    assert.equal(found.stdout, 'kept\n');
  } finally {
    await ask('delete_swarm_instance', { instanceIds: [id] });
    await ask('purge_swarm_instance', { instanceIds: [id] });
  }
};
