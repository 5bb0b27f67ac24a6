import { describe, expect, test, vi } from 'vitest';
import { agentOperations } from '../../../src/operations/catalog.ts';
import type { SwarmCore } from '../../../src/vscode/swarmHost.ts';
import { FakeSwarm, idOf, migrationIdOf } from '../operations/fakeSwarm.ts';
import { makeBench } from '../operations/gateBench.ts';

const editor = vi.hoisted(() => ({
  tools: new Map<string, { prepareInvocation: CallableFunction; invoke: CallableFunction }>(),
  modals: [] as { title: string; options: unknown; button: string }[],
  presses: true,
}));

vi.mock('vscode', () => ({
  lm: {
    registerTool: (name: string, tool: never) => {
      editor.tools.set(name, tool);
      return { dispose: () => editor.tools.delete(name) };
    },
  },
  window: {
    showWarningMessage: async (title: string, options: unknown, button: string) => {
      editor.modals.push({ title, options, button });
      return editor.presses ? button : undefined;
    },
  },
  env: { language: 'en' },
  l10n: { t: (text: string, ...args: unknown[]) => text.replace(/\{(\d)\}/g, (_, i) => String(args[i])) },
  Disposable: { from: (...all: { dispose(): void }[]) => ({ dispose: () => all.forEach(one => void one.dispose()) }) },
  MarkdownString: class {
    value: string;
    constructor(value: string) {
      this.value = value;
    }
  },
  LanguageModelTextPart: class {
    value: string;
    constructor(value: string) {
      this.value = value;
    }
  },
  LanguageModelToolResult: class {
    content: { value: string }[];
    constructor(content: { value: string }[]) {
      this.content = content;
    }
  },
  CancellationError: class extends Error {
    override name = 'Canceled';
  },
}));

const { registerLanguageModelTools } = await import('../../../src/vscode/languageModelTools.ts');

const quietToken = { isCancellationRequested: false, onCancellationRequested: () => ({ dispose: () => {} }) };

function open() {
  editor.modals.length = 0;
  editor.presses = true;
  const bench = makeBench({ swarm: new FakeSwarm(10) });
  const errors: string[] = [];
  const core = {
    operations: agentOperations,
    controller: bench.swarm,
    gate: { invoke: bench.rawInvoke },
  } as unknown as SwarmCore;
  const registration = registerLanguageModelTools(
    agentOperations.map(({ name, title }) => ({ name, displayName: title })),
    { use: work => work(core) },
    { error: text => void errors.push(String(text)) },
  );
  const invoke = async (name: string, input: unknown, token: unknown = quietToken) => {
    const result = await editor.tools.get(name)?.invoke({ input }, token);
    return JSON.parse(result.content[0].value);
  };
  const prepare = (name: string, input: unknown) => editor.tools.get(name)?.prepareInvocation({ input }, quietToken);
  return { bench, errors, registration, invoke, prepare };
}

describe('the chat tools', () => {
  test('are the operations for agents, and go with the registration', () => {
    const { registration } = open();
    expect([...editor.tools.keys()]).toEqual(agentOperations.map(({ name }) => name));
    expect(editor.tools.size).toBe(17);
    registration.dispose();
    expect(editor.tools.size).toBe(0);
  });

  test('answer with JSON, as an agent called chat', async () => {
    const { bench, invoke } = open();
    expect(await invoke('get_swarm_status', {})).toMatchObject({ instances: 10 });
    expect(bench.events[0]).toMatchObject({ caller: 'agent', actor: 'chat', operation: 'get_swarm_status' });
  });

  test('the chat is given a question for everything but reads, which names the instances', async () => {
    const { prepare } = open();
    const inputs: Record<string, unknown> = {
      create_swarm_instance: { name: 'fresh' },
      update_swarm_instance: { instanceId: idOf(1), name: 'x' },
      run_in_instance: { instanceId: idOf(1), command: 'ls' },
      recover_instance: { instanceId: idOf(1) },
      create_migration_plan: { instanceId: idOf(1), targetProvider: 'local' },
      start_migration: { migrationId: migrationIdOf(idOf(1)) },
      cancel_migration: { migrationId: migrationIdOf(idOf(1)) },
      get_migration_status: { migrationId: migrationIdOf(idOf(1)) },
      list_migrations: {},
    };
    for (const { name, effect } of agentOperations) {
      const prepared = await prepare(name, inputs[name] ?? { instanceIds: [idOf(1), idOf(2)] });
      expect(prepared.invocationMessage).toContain('Remote Swarm');
      expect(prepared.confirmationMessages === undefined).toBe(effect === 'read');
    }
    const { confirmationMessages } = await prepare('stop_swarm_instance', { instanceIds: [idOf(1), idOf(2)] });
    expect(confirmationMessages.title).toBe('Stop 2 instances?');
    expect(confirmationMessages.message.value).toContain('box 1');
    expect(confirmationMessages.message.value).toContain('box 2');
    const { confirmationMessages: move } = await prepare('start_migration', { migrationId: migrationIdOf(idOf(1)) });
    expect(move.title).toMatch(/^Migrate "box 1" from \S+ to \S+\?$/);
    expect(move.message.value).toMatch(/1 MB in 1 files will be copied and compared\\\./);
  });

  test('preparing a call that the gate will refuse asks nothing and touches nothing', async () => {
    const { bench, prepare } = open();
    for (const input of [undefined, {}, { instanceIds: [idOf(99)] }, { instanceIds: 'all' }]) {
      expect(await prepare('delete_swarm_instance', input)).toEqual({ invocationMessage: expect.any(String) });
    }
    expect(bench.swarm.calls).toEqual([]);
  });

  test('with every confirmation of the chat switched off, no delete goes without our modal', async () => {
    const { bench, invoke } = open();
    editor.presses = false;
    await expect(invoke('delete_swarm_instance', { instanceIds: [idOf(1)] })).rejects.toThrow(
      /^confirmation-refused: /,
    );
    expect(editor.modals).toMatchObject([
      { title: 'Delete "box 1"?', options: { modal: true }, button: 'Delete Instance' },
    ]);
    editor.presses = true;
    const settled = await Promise.allSettled(
      Array.from({ length: 10 }, (_, index) => invoke('delete_swarm_instance', { instanceIds: [idOf(index + 1)] })),
    );
    expect(settled.filter(({ status }) => status === 'fulfilled')).toHaveLength(3);
    expect(editor.modals).toHaveLength(4);
    expect(bench.swarm.listInstances().filter(({ status }) => status === 'trashed')).toHaveLength(3);
  });

  test('errors are words for a model, and their causes are logged', async () => {
    const { errors, invoke } = open();
    await expect(invoke('get_swarm_instance', { instanceId: idOf(99) })).rejects.toThrow(
      /^instance-not-found: .*\nNext step: Use list_swarm_instances/,
    );
    await expect(invoke('get_swarm_instance', {})).rejects.toThrow(/^invalid-input: .*instanceId: is required/);
    expect(errors).toHaveLength(2);
  });

  test('cancelling the chat cancels the operation', async () => {
    const { bench, errors, invoke } = open();
    let cancel = () => {};
    const token = {
      isCancellationRequested: false,
      onCancellationRequested: (listener: () => void) => {
        cancel = listener;
        return { dispose: () => {} };
      },
    };
    bench.swarm.execute = (_id, _command, options) =>
      new Promise((_resolve, reject) => {
        options?.signal.addEventListener('abort', () => reject(options.signal.reason));
        token.isCancellationRequested = true;
        cancel();
      });
    await expect(invoke('run_in_instance', { instanceId: idOf(1), command: 'sleep 9' }, token)).rejects.toThrow(
      expect.objectContaining({ name: 'Canceled' }),
    );
    expect(bench.phases()).toEqual(['asked', 'cancelled']);
    expect(errors).toEqual([]);
  });
});
