import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, onTestFailed, test, vi } from 'vitest';
import { ensureTestImage } from '../engine/support/images.ts';
import { describeWithEngine, testEngine } from '../engine/support/testEngine.ts';
import { EngineWorld } from '../engine/support/world.ts';
import { AgentChat, fakeModel } from './support/agentChat.ts';
import { launchChromium } from './support/chromium.ts';
import { Workbench } from './support/workbench.ts';
import { WorkbenchServer } from './support/workbenchServer.ts';

const patience = { timeout: 150_000, interval: 100 };

describeWithEngine('a chat in agent mode, with a model that follows a script', () => {
  let browser: Browser;
  let scratch: string;
  let server: WorkbenchServer;
  let workbench: Workbench;
  let chat: AgentChat;

  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterAll(() => browser?.close());

  // What agents may delete is counted for each swarm: each test has one of its own.
  beforeEach(async () => {
    scratch = await mkdtemp(path.join(tmpdir(), 'remote-swarm-agent-'));
    const { docker, host } = await testEngine();
    const image = await ensureTestImage(docker, 'stub');
    const script = path.join(scratch, 'script.json');
    server = await WorkbenchServer.start({
      settings: {
        'chat.disableAIFeatures': false,
        'remoteSwarm.providers': [{ id: 'engine', type: 'docker', endpoint: host, image }],
        'remoteSwarm.enabledProviders': ['engine'],
      },
      extensions: [fakeModel],
      env: AgentChat.environment(script),
    });
    workbench = await Workbench.open(browser, server, { width: 1500, height: 900 });
    chat = new AgentChat(workbench, script);
    await workbench.openView();
  });
  afterEach(async () => {
    await workbench?.close();
    await server?.stop();
    const swarmId = await server?.swarmId();
    if (swarmId) await new EngineWorld((await testEngine()).docker).removeSwarm(swarmId);
    await server?.dispose();
    await rm(scratch, { recursive: true, force: true });
  });

  /** The results so far, once there are `count` of them. */
  const answers = (name: string, count: number) =>
    vi.waitFor(() => {
      const results = chat.results(name);
      expect(results.length).toBeGreaterThanOrEqual(count);
      return results;
    }, patience);

  test('lists, creates, gets, runs, stops and deletes, with ids from the results', { timeout: 300_000 }, async () => {
    onTestFailed(() => workbench.screenshotsOfAll('failed-agent-life'));
    await chat.start('life', [
      { tool: 'list_swarm_instances', input: {} },
      { tool: 'create_swarm_instance', input: { name: 'Emil', provider: 'engine' } },
      { tool: 'get_swarm_instance', input: { instanceId: '$id:Emil' } },
      { tool: 'run_in_instance', input: { instanceId: '$id:Emil', command: 'echo done by a model > made.txt' } },
      { tool: 'run_in_instance', input: { instanceId: '$id:Emil', command: 'cat made.txt' } },
      { tool: 'stop_swarm_instance', input: { instanceIds: ['$id:Emil'] } },
      { tool: 'delete_swarm_instance', input: { instanceIds: ['$id:Emil'] } },
      { tool: 'list_swarm_instances', input: {} },
    ]);
    await answers('life', 1);
    await workbench.screenshot('agent-1-confirm-create');
    await chat.confirm('Allow in this Session');
    await answers('life', 3);
    await chat.confirm('Allow Once');
    await answers('life', 4);
    await chat.confirm('Skip');
    await answers('life', 5);
    await chat.confirm('Allow in this Session');
    await answers('life', 6);
    await workbench.screenshot('agent-2-confirm-delete');
    await chat.confirm('Allow Once');
    expect(await workbench.dialogText()).toContain('Emil');
    await workbench.screenshot('agent-3-own-modal');
    await workbench.dialogButton('Delete Instance');
    const [before, created, got, ran, read, stopped, deleted, after] = await answers('life', 8);

    expect(before).toMatchObject({ instances: [] });
    expect(created).toMatchObject({ name: 'Emil', status: 'running' });
    const { id } = created as { id: string };
    expect(got).toMatchObject({ id, name: 'Emil', provider: 'engine' });
    expect(ran).toMatchObject({ exitCode: 0 });
    expect(read).toMatch(/skip/i);
    expect(stopped).toMatchObject({ results: [{ instanceId: id, outcome: 'done', status: 'stopped' }] });
    expect(deleted).toMatchObject({ results: [{ instanceId: id, outcome: 'done' }] });
    expect(after).toMatchObject({ instances: [{ id, status: 'trashed' }] });
  });

  test('with everything approved, deletes still ask, three at most, and all come back', {
    timeout: 600_000,
  }, async () => {
    onTestFailed(() => workbench.screenshotsOfAll('failed-agent-approve'));
    await server.configure({ 'chat.permissions.default': 'autoApprove' });
    await workbench.reload();
    await workbench.openView();
    const names = Array.from({ length: 10 }, (_, index) => `Fleet ${index}`);
    await chat.start('fleet', [
      ...names.map(name => ({ tool: 'create_swarm_instance', input: { name, provider: 'engine' } })),
      { tool: 'delete_swarm_instance', input: { instanceIds: names.map(name => `$id:${name}`) } },
      { tool: 'delete_swarm_instance', input: { instanceIds: names.map(name => `$id:${name}`) } },
      { tool: 'delete_swarm_instance', input: { instanceIds: [`$id:${names.at(-1)}`] } },
    ]);
    const created = (await answers('fleet', 10)).slice(0, 10) as { id: string; status: string }[];
    expect(created.map(({ status }) => status)).toEqual(names.map(() => 'running'));

    expect(await workbench.dialogText()).toContain('Fleet 0');
    await workbench.screenshot('agent-4-modal-of-approved-chat');
    await workbench.dialogButton('Cancel');
    expect((await answers('fleet', 11))[10]).toMatch(/not confirm|declin|refus/i);

    await workbench.dialogText();
    await workbench.dialogButton('Delete 3 Instances');
    const { results } = (await answers('fleet', 12))[11] as { results: { outcome: string; instanceId: string }[] };
    expect(results.filter(({ outcome }) => outcome === 'done')).toHaveLength(3);
    expect((await answers('fleet', 13))[12]).toMatch(/limit/i);

    await workbench.unfold('engine');
    await workbench.unfold('Trash');
    const gone = results.filter(({ outcome }) => outcome === 'done').map(({ instanceId }) => instanceId);
    for (const name of names.filter((_, index) => gone.includes(created[index]?.id ?? ''))) {
      await workbench.contextAction(name, 'Restore');
      await workbench.rowSays(name, /^stopped/);
    }
  });
});
