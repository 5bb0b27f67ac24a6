import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { inCleanEnvironment } from '../../src/core/setupScripts.ts';
import { type SetupSources, setUpWorkspace } from '../../src/core/workspaceSetup.ts';
import { isAbort, SwarmError } from '../../src/model/errors.ts';
import { InstanceConfig, type InstanceConfigInput, type InstanceRecord } from '../../src/model/instance.ts';
import type { InstanceSpec, Provider, ProviderAbilities } from '../../src/model/provider.ts';
import { surveyFolder } from '../../src/storage/folderSurvey.ts';
import { packFolder } from '../../src/storage/packFolder.ts';
import { type LoneProvider, loneContext, loneProvider } from '../fakes/loneProvider.ts';
import { describeFenceContract } from './fenceContract.ts';
import { describeHealthContract } from './healthContract.ts';
import { describeOwnershipContract } from './ownershipContract.ts';
import { describeRoleContract } from './roleContract.ts';
import { newSpec, testSwarmId } from './specs.ts';
import { terminalOutput } from './terminalOutput.ts';
import { expectCode, failure, fillHome, homeDigest, watchedContext } from './tools.ts';

/** The place itself, looked at without any provider. */
export interface ContractWorld {
  /** Whether anything at all is left of the instance: folder, container, volume, process. */
  exists(instanceId: string): Promise<boolean>;
  /** Content of a file, named relative to the home, in any state of the instance; undefined when it is not there. */
  readHome(instanceId: string, file: string): Promise<string | undefined>;
  /** All that can be seen of the instance without opening its token or its variables: record, labels, arguments, raw log. */
  publicText(instanceId: string): Promise<string>;
  /** Puts something there that is not ours and looks like it might be; the answer tells whether it is as it was. */
  plantForeign(): Promise<() => Promise<boolean>>;
  /**
   * Writes beside the home of an instance that runs, in place of what it is known by, what only a later version can read.
   * Answers with whether that is there still, and with what puts back what it was. A place without such a record has none.
   */
  noteLater?(instanceId: string): Promise<{ isKept(): Promise<boolean>; undo(): Promise<void> }>;
  /** Adds a line to the server's own log. */
  writeLog(instanceId: string, line: string): Promise<void>;
  /** Ends the server as a crash does. */
  crash(instanceId: string): Promise<void>;
  /** Ends and removes all that serves the instance; its home stays, with what lies beside it. */
  loseServer(instanceId: string): Promise<void>;
  /** Removes its home with all that serves it. */
  loseHome(instanceId: string): Promise<void>;
}

/** What a kind of place brings to the suite. */
export interface ContractHarness {
  /** A further provider object on the one place. */
  makeProvider(): Promise<Provider>;
  readonly world: ContractWorld;
  /** What every spec needs here. */
  readonly config?: Partial<InstanceConfigInput>;
  /** Removes what is left of `swarmId`, and the place itself. */
  cleanup(swarmId: string): Promise<void>;
}

async function* bytes(...chunks: string[]): AsyncIterable<Uint8Array> {
  for (const chunk of chunks) yield new TextEncoder().encode(chunk);
}

type OptionalAbility = 'watch' | 'stats' | 'freeBytes' | 'homeBytes' | 'terminal' | 'followLogs' | 'listPorts';

/** Every promise of `src/model/provider.ts`, tried on a real place. `lacks` are the abilities that it does not claim. */
export function describeProviderContract(
  name: string,
  makeHarness: () => Promise<ContractHarness>,
  lacks: readonly OptionalAbility[] = [],
): void {
  describe(`${name} keeps the provider contract`, () => {
    const swarmId = testSwarmId();
    let harness: ContractHarness;
    let provider: LoneProvider;
    let world: ContractWorld;

    const specOf = (config: Partial<InstanceConfigInput> = {}, secrets: Record<string, string> = {}): InstanceSpec =>
      newSpec(swarmId, { ...harness.config, ...config }, secrets);
    const created = async (config?: Partial<InstanceConfigInput>, secrets?: Record<string, string>) =>
      (await provider.createInstance(specOf(config, secrets))).id;
    const run = async (id: string, command: string) => {
      const result = await provider.executeCommand(id, command);
      expect(result, command).toMatchObject({ exitCode: 0 });
      return result.stdout;
    };
    const statusOf = async (id: string) => (await provider.getInstance(id))?.status;
    const observed = async (id: string) => (await provider.abilities.observe()).filter(row => row.id === id);
    const get = async (id: string, path: string) => {
      const { host, port, dispose } = await provider.abilities.connect(id);
      try {
        return await fetch(`http://${host}:${port}${path}`, { redirect: 'manual' });
      } finally {
        dispose();
      }
    };

    /** A test of an ability; of a place that lacks it, that it does not claim to have it. */
    function abilityTest<A extends OptionalAbility>(
      ability: A,
      title: string,
      body: (call: NonNullable<ProviderAbilities[A]>) => Promise<void>,
    ): void {
      if (lacks.includes(ability)) {
        test(`${ability} is not claimed`, () => expect(provider.abilities[ability]).toBeUndefined());
        return;
      }
      test(title, async () => {
        const call = provider.abilities[ability];
        if (!call) throw new Error(`The ability "${ability}" is missing.`);
        await body(call.bind(provider.abilities) as NonNullable<ProviderAbilities[A]>);
      });
    }

    beforeAll(async () => {
      harness = await makeHarness();
      world = harness.world;
      provider = loneProvider(await harness.makeProvider());
      await provider.initialize();
    });

    afterAll(async () => {
      await provider?.dispose();
      await harness?.cleanup(swarmId);
    });

    describe('of a running instance', () => {
      let spec: InstanceSpec;
      let id: string;

      beforeAll(async () => {
        spec = specOf(
          {
            env: { GREETING: 'hello "you" \\$HOME', WHERE: `$HOME:\${containerEnv:HOME}` },
            ...{ secretEnv: ['PASSPHRASE'], ports: [3000], metadata: { team: 'a' } },
          },
          { PASSPHRASE: 'open-$HOME-4711' },
        );
        const instance = await provider.createInstance(spec);
        id = spec.identity.id;
        const { identity, secrets: _, ...config } = spec;
        expect(instance).toMatchObject({
          ...identity,
          config,
          role: 'owner',
          status: 'running',
          providerId: provider.id,
        });
      });

      test('the editor answers, and lets nobody in without the token', async () => {
        const token = await provider.abilities.readToken(id);
        expect(token).toMatch(/^[\w-]{16,}$/);
        expect((await get(id, '/version')).status).toBe(200);
        expect((await get(id, '/')).status).toBe(403);
        expect((await get(id, '/?tkn=wrong')).status).toBe(403);
        const welcome = await get(id, `/?tkn=${token}`);
        expect(welcome.status).toBe(302);
        expect(welcome.headers.get('set-cookie')).toBeTruthy();
      });

      test('neither token nor secret can be seen from outside', async () => {
        const token = await provider.abilities.readToken(id);
        const text = await world.publicText(id);
        expect(text).toContain(id);
        expect(text).not.toContain(token);
        expect(text).not.toContain('open-sesame-4711');
        const { lines } = await provider.getInstanceLogs(id);
        expect(lines.join('\n')).not.toContain(token);
      });

      test('get, list and observe agree about it', async () => {
        expect(await provider.getInstance(id)).toMatchObject({ id, status: 'running', config: { name: spec.name } });
        const [row, ...others] = await observed(id);
        expect(others).toEqual([]);
        const { createdAt, epoch } = spec.identity;
        expect(row).toMatchObject({ id, swarmId, epoch, createdAt, role: 'owner', status: 'running' });
        const ids = async (filter: Parameters<Provider['listInstances']>[0]) =>
          (await provider.listInstances(filter)).map(instance => instance.id).filter(found => found === id);
        expect(await ids(undefined)).toEqual([id]);
        expect(
          await ids({ status: ['running'], metadata: { team: 'a' }, name: 'TEST*', provider: provider.id }),
        ).toEqual([id]);
        expect(await ids({ status: ['stopped'] })).toEqual([]);
        expect(await ids({ metadata: { team: 'b' } })).toEqual([]);
        expect(await ids({ name: 'other*' })).toEqual([]);
        expect(await ids({ provider: provider.type })).toEqual([id]);
        expect(await ids({ provider: 'elsewhere' })).toEqual([]);
      });

      test('a create that is repeated adopts it', async () => {
        const again = await provider.createInstance(spec);
        expect(again).toMatchObject({ id, status: 'running' });
        expect(await observed(id)).toHaveLength(1);
      });

      test('a start of what runs changes nothing', async () => {
        const before = await provider.getInstance(id);
        expect(await provider.startInstance(id)).toEqual(before);
      });

      test('a command has its exit code, both streams, the variables and the workspace', async () => {
        const command = 'echo "$GREETING"; echo "$PASSPHRASE" >&2; pwd; exit 7';
        expect(await provider.executeCommand(id, command)).toEqual({
          exitCode: 7,
          stdout: `hello "you" $HOME\n${provider.abilities.workspacePath(id)}\n`,
          stderr: 'open-$HOME-4711\n',
          truncated: false,
        });
        const { stdout: where } = await provider.executeCommand(id, 'echo "$WHERE"; echo "$HOME:$HOME"');
        const [found, right] = where.split('\n');
        expect(found).toBe(right);
        expect((await provider.executeCommand(id, 'no-such-command-here')).exitCode).toBe(127);
      });

      test('a command that a signal ended says which one', async () => {
        expect((await provider.executeCommand(id, 'kill -9 $$')).exitCode).toBe(137);
      });

      test('a command gets its standard input, all of it, and its end', async () => {
        const chunk = 'x'.repeat(65_536);
        const stdin = bytes(...Array<string>(16).fill(chunk));
        const result = await provider.executeCommand(id, 'wc -c', { ...watchedContext(), stdin });
        expect(result).toMatchObject({ exitCode: 0, stderr: '' });
        expect(result.stdout.trim()).toBe(String(1024 * 1024));
        const ignored = await provider.executeCommand(id, 'exit 3', {
          ...watchedContext(),
          stdin: bytes(chunk, chunk),
        });
        expect(ignored.exitCode).toBe(3);
      });

      test('output past the limit is dropped, and said so', async () => {
        const options = { ...watchedContext(), maxOutputBytes: 10 };
        const result = await provider.executeCommand(id, 'printf 0123456789abc; printf err >&2', options);
        expect(result).toEqual({ exitCode: 0, stdout: '0123456789', stderr: 'err', truncated: true });
      });

      test.each([
        ['a command', (command: string) => command],
        // What a first set-up runs has none of the instance's variables.
        ['a command in a clean environment', (command: string) => inCleanEnvironment(command, [])],
      ])('%s that is aborted ends with everything that it started', async (_, around) => {
        const ctx = watchedContext();
        const marker = 'workspace/abort.pids';
        const command = around('sleep 300 & echo "$! $$" > abort.pids; wait');
        await run(id, 'rm -f abort.pids');
        const running = failure(provider.executeCommand(id, command, ctx));
        await vi.waitFor(async () => expect(await world.readHome(id, marker)).toMatch(/^\d+ \d+\n$/), 10_000);
        ctx.abort();
        expect(isAbort(await running)).toBe(true);
        const alive = 'for pid in $(cat abort.pids); do kill -0 "$pid" 2>/dev/null && echo "$pid"; done; true';
        await vi.waitFor(async () => expect(await run(id, alive)).toBe(''), 10_000);
      });

      test('logs can be cut by number and by time', async () => {
        const all = await provider.getInstanceLogs(id);
        expect(all.lines.length).toBeGreaterThan(0);
        expect((await provider.getInstanceLogs(id, { tail: 1 })).lines).toHaveLength(1);
        const future = new Date(Date.now() + 3_600_000).toISOString();
        expect((await provider.getInstanceLogs(id, { since: future })).lines).toEqual([]);
      });

      abilityTest('followLogs', 'a log can be followed', async followLogs => {
        const ctx = watchedContext();
        const seen: string[] = [];
        const following = failure(followLogs(id, line => seen.push(line), ctx));
        await vi.waitFor(async () => {
          await world.writeLog(id, 'a line of the test');
          expect(seen.join('\n')).toContain('a line of the test');
        }, 10_000);
        ctx.abort();
        expect(isAbort(await following)).toBe(true);
      });

      abilityTest('listPorts', 'a port of an application inside is listed and can be reached', async listPorts => {
        const before = await listPorts(id);
        const node = `require("net").createServer(s=>s.end("hi")).listen(0,"127.0.0.1",function(){require("fs").writeFileSync("app.port",String(this.address().port))})`;
        const program = await run(id, 'command -v node || ls /usr/lib/code-server/lib/node');
        await run(id, `nohup ${program.trim()} -e '${node}' >/dev/null 2>&1 & echo started`);
        await vi.waitFor(async () => expect(await world.readHome(id, 'workspace/app.port')).toMatch(/^\d+$/), 10_000);
        const port = Number(await world.readHome(id, 'workspace/app.port'));
        expect(before).not.toContain(port);
        expect(await listPorts(id)).toContain(port);
        expect(await listPorts(id)).not.toContain((await provider.getInstance(id))?.port);
        const endpoint = await provider.abilities.connect(id, port);
        expect(await answerOf(endpoint.port)).toBe('hi');
        endpoint.dispose();
      });

      abilityTest('terminal', 'a terminal is a shell in the workspace, with the variables', async terminal => {
        const output = await terminalOutput(await terminal(id), 'echo "<$GREETING>"; pwd; exit\n');
        expect(output).toContain('<hello "you" $HOME>');
        expect(output).toContain(provider.abilities.workspacePath(id));
      });

      abilityTest('stats', 'stats tell what it uses', async stats => {
        const [row, ...others] = await stats([id]);
        expect(others).toEqual([]);
        expect(row?.id).toBe(id);
        expect(row?.memoryBytes).toBeGreaterThan(1024 ** 2);
        expect(row?.cpuCores).toBeGreaterThanOrEqual(0);
        expect(row?.diskUsedBytes).toBeGreaterThan(0);
        expect(row?.diskTotalBytes).toBeGreaterThan(row?.diskUsedBytes ?? 0);
      });

      abilityTest('freeBytes', 'the place tells how much room it has', async freeBytes => {
        const free = (await freeBytes()) ?? 0;
        const [{ diskUsedBytes: used = 0, diskTotalBytes: total = 0 } = {}] =
          (await provider.abilities.stats?.([id])) ?? [];
        // Whatever else this machine writes meanwhile.
        expect(Math.abs(free - (total - used))).toBeLessThan(total / 20);
      });

      abilityTest('homeBytes', 'the place tells what a home takes', async homeBytes => {
        const sizeOf = async () => (await homeBytes([id, 'nobody'])).get(id) ?? 0;
        const before = await sizeOf();
        await run(id, 'head -c 5000000 /dev/urandom > five-megabytes; sync');
        const after = await sizeOf();
        expect(before).toBeGreaterThan(0);
        expect(after - before).toBeGreaterThan(4_900_000);
        expect(after - before).toBeLessThan(8_000_000);
        await run(id, 'rm five-megabytes');
      });

      test('a name changes without a restart', async () => {
        const before = await provider.getInstance(id);
        const update = { name: `renamed ${id}`, ports: [8080], metadata: { team: 'c' } };
        const after = await provider.updateInstance(id, update);
        expect(after).toEqual({ ...before, config: { ...before?.config, ...update } });
        expect(await provider.getInstance(id)).toEqual(after);
      });

      test('variables change, secret ones that are not given stay', async () => {
        await provider.updateInstance(id, { env: { GREETING: 'bye', MORE: '1' } });
        expect(await run(id, 'echo "$GREETING $MORE $PASSPHRASE"')).toBe('bye 1 open-$HOME-4711\n');
        await provider.updateInstance(id, { env: {}, secretEnv: ['OTHER'] }, undefined, { OTHER: 'new' });
        expect(await run(id, 'echo "[$GREETING$MORE$PASSPHRASE$OTHER]"')).toBe('[new]\n');
        expect(await statusOf(id)).toBe('running');
        expect((await get(id, '/version')).status).toBe(200);
      });
    });

    describe('through its life', () => {
      test('a folder that is a worktree becomes a repository of its own in it', async () => {
        const root = await mkdtemp(path.join(tmpdir(), 'remote-swarm-worktree-'));
        const [main, tree] = [path.join(root, 'main'), path.join(root, 'tree')];
        const git = (...args: string[]) =>
          execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@b', ...args], { encoding: 'utf8' }).trim();
        git('init', '--quiet', main);
        git('-C', main, 'commit', '--quiet', '--allow-empty', '-m', 'first');
        git('-C', main, 'worktree', 'add', '--quiet', '-b', 'topic', tree);
        const id = await created();
        const config = InstanceConfig.parse({ name: 'one', source: { kind: 'folder', path: tree } });
        const sources: SetupSources = {
          surveyFolder: (folder, signal) => surveyFolder(folder, [], signal),
          packFolder: (folder, workspace, signal, note) => packFolder(folder, workspace, [], signal, note),
          gitCredential: () => undefined,
        };
        const record = { id, config, setup: { status: 'pending', outside: [path.join(main, '.git')] } };
        const setup = await setUpWorkspace(provider, record as InstanceRecord, sources, loneContext);
        expect(setup).toEqual({ status: 'done', problems: [] });
        const look = `cat .git/HEAD .git/refs/heads/topic; grep -rq '${root}' .git && echo leads back`;
        const { stdout } = await provider.executeCommand(id, look);
        expect(stdout).toBe(`ref: refs/heads/topic\n${git('-C', tree, 'rev-parse', 'HEAD')}\n`);
        await provider.deleteInstance(id);
        await rm(root, { recursive: true });
      });

      test('a home survives stop and start, and the new port works', async () => {
        const id = await created();
        await run(id, 'echo kept > file.txt; echo dot > "$HOME/.profile-of-test"');
        const token = await provider.abilities.readToken(id);
        const stopped = await provider.stopInstance(id);
        expect(stopped).toMatchObject({ id, status: 'stopped' });
        expect(stopped.port).toBeUndefined();
        expect(await statusOf(id)).toBe('stopped');
        expect(await observed(id)).toMatchObject([{ status: 'stopped', role: 'owner' }]);
        expect(await world.readHome(id, 'workspace/file.txt')).toBe('kept\n');
        await expectCode(provider.executeCommand(id, 'true'), 'wrong-state');
        expect(await provider.stopInstance(id)).toMatchObject({ status: 'stopped' });

        expect(await provider.startInstance(id)).toMatchObject({ id, status: 'running' });
        expect((await get(id, '/version')).status).toBe(200);
        expect((await get(id, `/?tkn=${token}`)).status).toBe(302);
        expect(await run(id, 'cat file.txt "$HOME/.profile-of-test"')).toBe('kept\ndot\n');
        await provider.deleteInstance(id);
      });

      test('a forced stop ends what ignores being asked', async () => {
        const id = await created();
        await run(id, `nohup sh -c 'trap "" TERM HUP; while :; do sleep 1; done' >/dev/null 2>&1 & echo started`);
        expect(await provider.stopInstance(id, true)).toMatchObject({ status: 'stopped' });
        expect(await provider.startInstance(id)).toMatchObject({ status: 'running' });
        await provider.deleteInstance(id);
      });

      test('creates at the same time make one instance each', async () => {
        const [one, other] = [specOf(), specOf()];
        const instances = await Promise.all([one, one, other].map(spec => provider.createInstance(spec)));
        expect(instances.map(({ id }) => id)).toEqual([one.identity.id, one.identity.id, other.identity.id]);
        expect(await observed(one.identity.id)).toHaveLength(1);
        await Promise.all([one, other].map(spec => provider.deleteInstance(spec.identity.id)));
      });

      test('a create that is cancelled leaves nothing, wherever it was', async () => {
        const begun = specOf();
        const never = watchedContext();
        never.abort();
        expect(isAbort(await failure(provider.createInstance(begun, never)))).toBe(true);
        expect(await world.exists(begun.identity.id)).toBe(false);
        for (let abortAt = 1; ; abortAt++) {
          const spec = specOf();
          const ctx = watchedContext(abortAt);
          const outcome = await provider.createInstance(spec, ctx).catch((error: unknown) => error);
          if (!ctx.signal.aborted) {
            await provider.deleteInstance(spec.identity.id);
            break;
          }
          if (!isAbort(outcome)) {
            // The abort came when all was done: then it must all be there.
            expect(outcome, `aborted at "${ctx.reports.at(-1)}"`).toMatchObject({ status: 'running' });
            await provider.deleteInstance(spec.identity.id);
            continue;
          }
          expect(await world.exists(spec.identity.id), `aborted at "${ctx.reports.at(-1)}"`).toBe(false);
          expect(await provider.getInstance(spec.identity.id)).toBeNull();
          if (abortAt > 6) break;
        }
      });

      test('the trash keeps the home byte for byte, and gives it back stopped', async () => {
        const id = await created({ env: { KEPT: 'yes' } });
        const token = await provider.abilities.readToken(id);
        await run(id, fillHome);
        const before = await run(id, homeDigest);
        await provider.abilities.trashInstance(id);
        await provider.abilities.trashInstance(id);
        expect(await observed(id)).toMatchObject([{ role: 'trash', status: 'trashed', swarmId }]);
        expect(await provider.getInstance(id)).toMatchObject({ role: 'trash', status: 'trashed' });
        expect(await world.readHome(id, 'workspace/t/link')).toBeDefined();
        await expectCode(provider.startInstance(id), 'wrong-state');
        await expectCode(provider.executeCommand(id, 'true'), 'wrong-state');

        expect(await provider.abilities.restoreInstance(id)).toMatchObject({ id, role: 'owner', status: 'stopped' });
        expect(await provider.abilities.restoreInstance(id)).toMatchObject({ id, role: 'owner', status: 'stopped' });
        await provider.startInstance(id);
        expect(await run(id, homeDigest)).toBe(before);
        expect(await run(id, 'echo $KEPT')).toBe('yes\n');
        expect(await provider.abilities.readToken(id)).toBe(token);

        await provider.stopInstance(id);
        await provider.abilities.trashInstance(id);
        expect(await observed(id)).toMatchObject([{ role: 'trash' }]);
        await provider.deleteInstance(id);
      });

      test('delete removes everything from every state, and says whether there was anything', async () => {
        const states: Record<string, (id: string) => Promise<unknown>> = {
          running: async () => {},
          stopped: id => provider.stopInstance(id),
          trashed: id => provider.abilities.trashInstance(id),
        };
        for (const [state, bring] of Object.entries(states)) {
          const id = await created();
          await run(id, 'mkdir locked && touch locked/file && chmod 500 locked');
          await bring(id);
          expect(await world.exists(id), state).toBe(true);
          expect(await provider.deleteInstance(id), state).toBe(true);
          expect(await world.exists(id), state).toBe(false);
          expect(await provider.deleteInstance(id), state).toBe(false);
          expect(await provider.getInstance(id), state).toBeNull();
          expect(await observed(id), state).toEqual([]);
        }
      });

      test('an update of a stopped instance takes effect when it starts', async () => {
        const id = await created();
        await provider.stopInstance(id);
        expect(await provider.updateInstance(id, { env: { LATER: 'now' } })).toMatchObject({ status: 'stopped' });
        await provider.startInstance(id);
        expect(await run(id, 'echo $LATER')).toBe('now\n');
        await provider.deleteInstance(id);
      });

      abilityTest('followLogs', 'a log that is followed ends with the server', async followLogs => {
        const id = await created();
        const following = followLogs(id, () => {}, watchedContext());
        await provider.stopInstance(id);
        await following;
        await provider.deleteInstance(id);
      });

      test('what runs is seen by a second provider, and outlives the first', async () => {
        const first = loneProvider(await harness.makeProvider());
        await first.initialize();
        const spec = specOf();
        const { id } = spec.identity;
        await first.createInstance(spec);
        const second = loneProvider(await harness.makeProvider());
        await second.initialize();
        expect(await second.getInstance(id)).toEqual(await first.getInstance(id));
        await first.dispose();
        expect(await second.getInstance(id)).toMatchObject({ status: 'running' });
        expect(await second.createInstance(spec)).toMatchObject({ id, status: 'running' });
        await second.stopInstance(id);
        expect(await statusOf(id)).toBe('stopped');
        expect(await second.deleteInstance(id)).toBe(true);
        expect(await provider.getInstance(id)).toBeNull();
        await second.dispose();
      });

      abilityTest('watch', 'a watch wakes when somebody else changes an instance', async watch => {
        const id = await created();
        const woken = new Set<string | undefined>();
        const subscription = watch(changed => woken.add(changed));
        const other = loneProvider(await harness.makeProvider());
        await other.initialize();
        await other.stopInstance(id);
        await vi.waitFor(() => expect(woken).toContain(id), 10_000);
        await other.startInstance(id);
        woken.clear();
        await other.deleteInstance(id);
        await vi.waitFor(() => expect(woken).toContain(id), 10_000);
        subscription.dispose();
        await other.dispose();
      });

      test('what is not ours is neither shown nor touched', async () => {
        const untouched = await world.plantForeign();
        const before = (await provider.abilities.observe()).map(row => row.id);
        const id = await created();
        await provider.abilities.trashInstance(id);
        await provider.deleteInstance(id);
        expect((await provider.abilities.observe()).map(row => row.id).sort()).toEqual(before.sort());
        expect(await untouched()).toBe(true);
      });

      test('an id of another swarm is not taken over', async () => {
        const id = await created();
        const foreign = specOf();
        const stolen = { ...foreign, identity: { ...foreign.identity, id, swarmId: testSwarmId() } };
        expect(await failure(provider.createInstance(stolen))).toBeInstanceOf(SwarmError);
        expect(await provider.getInstance(id)).toMatchObject({ swarmId, status: 'running' });
        await provider.deleteInstance(id);
      });
    });

    describeHealthContract({ provider: () => provider, world: () => world, specOf, run });
    describeFenceContract({ provider: () => provider, world: () => world, specOf, run });
    describeRoleContract({ provider: () => provider, world: () => world, specOf, run });
    describeOwnershipContract({ provider: () => provider, world: () => world, specOf, run }, () =>
      harness.makeProvider(),
    );

    describe('of what it cannot do', () => {
      test('an instance that is not there is null, or an error that says so', async () => {
        const { id } = specOf().identity;
        expect(await provider.getInstance(id)).toBeNull();
        expect(await provider.deleteInstance(id)).toBe(false);
        const { abilities } = provider;
        await expectCode(provider.startInstance(id), 'instance-not-found');
        await expectCode(provider.stopInstance(id), 'instance-not-found');
        await expectCode(provider.updateInstance(id, { name: 'x' }), 'instance-not-found');
        await expectCode(provider.getInstanceLogs(id), 'instance-not-found');
        await expectCode(provider.executeCommand(id, 'true'), 'instance-not-found');
        await expectCode(abilities.readToken(id), 'instance-not-found');
        await expectCode(abilities.connect(id), 'instance-not-found');
        await expectCode(abilities.trashInstance(id), 'instance-not-found');
        await expectCode(abilities.restoreInstance(id), 'instance-not-found');
        await expectCode(abilities.setRole(id, 'parked'), 'instance-not-found');
      });

      test('a call that was cancelled before it began does nothing', async () => {
        const id = await created();
        const ctx = watchedContext();
        ctx.abort();
        expect(isAbort(await failure(provider.stopInstance(id, false, ctx)))).toBe(true);
        expect(isAbort(await failure(provider.deleteInstance(id, ctx)))).toBe(true);
        expect(isAbort(await failure(provider.executeCommand(id, 'touch done', ctx)))).toBe(true);
        expect(await statusOf(id)).toBe('running');
        await sleep(100);
        expect(await world.readHome(id, 'workspace/done')).toBeUndefined();
        await provider.deleteInstance(id);
      });

      test('images and limits are refused by name where there are none, before anything is made', async () => {
        const { images, limits } = provider.abilities;
        const refused = [
          ...(images ? [] : [specOf({ image: 'example/image:1' })]),
          ...(limits ? [] : [specOf({ resources: { cpuCores: 1 } }), specOf({ resources: { memoryMb: 512 } })]),
        ];
        for (const spec of refused) {
          await expectCode(provider.createInstance(spec), 'unsupported');
          expect(await world.exists(spec.identity.id)).toBe(false);
        }
      });
    });
  });
}

async function answerOf(port: number): Promise<string> {
  const { connect } = await import('node:net');
  const chunks: Buffer[] = [];
  for await (const chunk of connect(port, '127.0.0.1')) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}
