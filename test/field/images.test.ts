import { afterAll, beforeAll, expect } from 'vitest';
import { SwarmError } from '../../src/model/errors.ts';
import type { InstanceConfigInput } from '../../src/model/instance.ts';
import type { DockerProvider } from '../../src/providers/docker/dockerProvider.ts';
import { newSpec, testSwarmId } from '../contract/specs.ts';
import { terminalOutput } from '../contract/terminalOutput.ts';
import { dockerProvider } from '../engine/support/dockerProviders.ts';
import { ensureTestImage } from '../engine/support/images.ts';
import { foreignImage, type Variant, variantOf } from '../engine/support/imageVariant.ts';
import { describeWithEngine, type TestEngine, testEngine } from '../engine/support/testEngine.ts';
import { EngineWorld } from '../engine/support/world.ts';
import { fieldSuite } from './fieldSuite.ts';

/** As Debian has it, where it makes PATH anew for whoever logs in. */
const games = '/usr/local/games:/usr/games';
const profile = `PATH="/usr/local/bin:/usr/bin:/bin:${games}"\nexport PATH\n`;
const goPath = '/usr/local/go/bin:/usr/local/bin:/usr/bin:/bin';
const home = '/remote-swarm/home';

describeWithEngine('images', () => {
  const swarmId = testSwarmId();
  let engine: TestEngine;
  let world: EngineWorld;
  let provider: DockerProvider;

  beforeAll(async () => {
    engine = await testEngine();
    world = new EngineWorld(engine.docker);
    const runtimeImage = await ensureTestImage(engine.docker, 'stub');
    provider = dockerProvider({ endpoint: engine.host, runtimeImage });
    await provider.initialize();
  });
  afterAll(async () => {
    await provider?.dispose();
    await world?.removeSwarm(swarmId);
  });

  /** What words of a shell become in an instance on this image, in commands, in a terminal, and for the editor's extensions. */
  const seen = (variant: Variant, words: string, config: Partial<InstanceConfigInput> = {}) =>
    onImage(variant, config, async (id, port) => {
      const { stdout } = await provider.executeCommand(id, `echo "${words}"`);
      const shown = await terminalOutput(await provider.abilities.terminal(id), `echo "->"" ${words}"; exit\n`);
      const answer = await fetch(`http://127.0.0.1:${port}/environment`);
      const editor = (await answer.json()) as Record<string, string>;
      const value = words.replaceAll(/\$(\w+)/g, (_, name: string) => editor[name] ?? '');
      return { command: stdout.trim(), terminal: /-> (.*?)\r?\n/.exec(shown)?.[1], editor: value };
    });
  const same = (value: string) => ({ command: value, terminal: value, editor: value });

  const printed = (variant: Variant, command: string, config: Partial<InstanceConfigInput> = {}) =>
    onImage(variant, config, async id => {
      const { stdout, stderr } = await provider.executeCommand(id, command);
      return `${stdout}${stderr}`;
    });

  async function onImage<T>(
    variant: Variant,
    config: Partial<InstanceConfigInput>,
    work: (id: string, port: number) => Promise<T>,
  ): Promise<T> {
    const image = await variantOf(engine.docker, await ensureTestImage(engine.docker, 'stub'), variant);
    const { id, port = 0 } = await provider.createInstance(newSpec(swarmId, { image, ...config }));
    try {
      return await work(id, port);
    } finally {
      await provider.deleteInstance(id);
    }
  }

  /** What is said of an image that can't hold an instance; nothing may have been made. */
  async function refused(image: string | Promise<string>): Promise<string> {
    const named = await image;
    const isOurs = (entry: string) => !entry.startsWith('volume remote-swarm-runtime-');
    const before = (await world.inventory()).filter(isOurs);
    const error = await provider.createInstance(newSpec(swarmId, { image: named })).then(
      () => 'was made',
      (reason: unknown) => reason,
    );
    expect((await world.inventory()).filter(isOurs)).toEqual(before);
    expect(error).toBeInstanceOf(SwarmError);
    const { message, hint } = error as SwarmError;
    return `${message} ${hint}`.replace(named, 'IMAGE');
  }
  const unfit = (why: string, choose: string) =>
    `The image IMAGE can't hold an instance: it ${why}. ${choose} Nothing was made.`;
  const whole = 'Choose an image of a whole distribution, as "debian:12", "ubuntu:24.04" or "fedora:42".';

  fieldSuite('image', [
    {
      input: 'its PATH, and an /etc/profile that makes another one',
      report: 'microsoft/vscode-dev-containers#416',
      right: { ...same(goPath), editor: `${goPath}:${games}` },
      found: () => seen({ changes: [`ENV PATH=${goPath}`], files: { 'etc/profile': profile } }, '$PATH'),
    },
    {
      input: 'a PATH of the instance before that of the image',
      report: 'microsoft/vscode-remote-release#2152',
      right: { ...same(`/opt/x:${goPath}`), editor: `/opt/x:${goPath}:${games}` },
      found: () =>
        seen({ changes: [`ENV PATH=${goPath}`], files: { 'etc/profile': profile } }, '$PATH', {
          env: { PATH: `/opt/x:\${containerEnv:PATH}` },
        }),
    },
    {
      input: 'variables that say where tools are',
      report: 'SWE-agent/SWE-ReX#185',
      right: same('/opt/java/openjdk'),
      found: () => seen({ changes: ['ENV JAVA_HOME=/opt/java/openjdk'] }, '$JAVA_HOME'),
    },
    {
      input: 'NODE_OPTIONS that no node takes',
      report: 'devcontainers/cli#351',
      right: { ...same('--foobar'), editor: '' },
      found: () => seen({ changes: ['ENV NODE_OPTIONS=--foobar'] }, '$NODE_OPTIONS'),
    },
    {
      input: 'NODE_OPTIONS with a module that is not there',
      report: 'microsoft/vscode#77871',
      right: { ...same('--require /no/such.js'), editor: '' },
      found: () => seen({ changes: ['ENV NODE_OPTIONS="--require /no/such.js"'] }, '$NODE_OPTIONS'),
    },
    {
      input: 'NODE_ICU_DATA of another node',
      report: 'microsoft/vscode-remote-release#935',
      right: { ...same('/usr/lib/full-icu'), editor: '' },
      found: () => seen({ changes: ['ENV NODE_ICU_DATA=/usr/lib/full-icu'] }, '$NODE_ICU_DATA'),
    },
    {
      input: 'LD_LIBRARY_PATH with a libstdc++ that is none',
      report: 'microsoft/vscode-remote-release#3780',
      right: { ...same('/opt/libs'), editor: '' },
      found: () =>
        seen(
          { changes: ['ENV LD_LIBRARY_PATH=/opt/libs'], files: { 'opt/libs/libstdc++.so.6': 'no library' } },
          '$LD_LIBRARY_PATH',
        ),
    },
    {
      input: 'LD_PRELOAD of a library that is not there',
      report: 'microsoft/vscode-remote-release#4596',
      right: { terminal: '/no/lib.so', command: '/no/lib.so', editor: '' },
      found: () => seen({ changes: ['ENV LD_PRELOAD=/no/lib.so'] }, '$LD_PRELOAD'),
    },
    {
      input: 'OPENSSL_CONF that is no configuration',
      report: 'microsoft/vscode#182211',
      right: { ...same('/etc/passwd'), editor: '' },
      found: () => seen({ changes: ['ENV OPENSSL_CONF=/etc/passwd'] }, '$OPENSSL_CONF'),
    },
    {
      input: 'NODE_EXTRA_CA_CERTS, which the editor wants too',
      report: 'mattolson/agent-sandbox#195',
      right: same('/etc/ssl/no-such.pem'),
      found: () => seen({ changes: ['ENV NODE_EXTRA_CA_CERTS=/etc/ssl/no-such.pem'] }, '$NODE_EXTRA_CA_CERTS'),
    },
    {
      input: 'nobody of the number of who works in it',
      report: 'coder/code-server#2213',
      right: `coder coder ${home}\n`,
      found: () =>
        printed(
          { files: { 'etc/passwd': 'root:x:0:0:root:/root:/bin/sh\n', 'etc/group': 'root:x:0:\n' } },
          'echo $(whoami) $(id -gn) ~coder',
        ),
    },
    {
      input: 'ssh, which wants an account',
      report: 'nebari-dev/nebari#1592',
      right: expect.stringContaining('port 22: Connection refused'),
      found: () =>
        printed({ files: { 'etc/passwd': 'root:x:0:0:root:/root:/bin/sh\n' } }, 'ssh -o BatchMode=yes git@127.0.0.1'),
    },
    {
      input: 'an account with another home, where ssh would look for keys',
      report: 'mcdonc/klangk#2158',
      right: `${home}/.ssh/known_hosts`,
      found: async () =>
        /userknownhostsfile (\S+)/.exec(
          await printed(
            { files: { 'etc/passwd': 'root:x:0:0:root:/root:/bin/sh\nubuntu:x:1000:1000::/home/ubuntu:/bin/bash\n' } },
            'ssh -G example.org',
          ),
        )?.[1],
    },
    {
      input: 'an account of that number with a name of its own',
      report: 'devcontainers/images#1056',
      right: 'ubuntu\n',
      found: () =>
        printed(
          { files: { 'etc/passwd': 'root:x:0:0:root:/root:/bin/sh\nubuntu:x:1000:1000::/home/ubuntu:/bin/bash\n' } },
          'whoami',
        ),
    },
    {
      input: 'no LANG: umlauts',
      report: 'gitpod-io/openvscode-server#92',
      right: '4 UTF-8\n',
      found: () => printed({}, `echo $(printf 'äöüß' | wc -m) $(locale charmap)`),
    },
    {
      input: 'a LANG of its own',
      report: 'r-hub/containers#62',
      right: same('POSIX'),
      found: () => seen({ changes: ['ENV LANG=POSIX'] }, '$LANG'),
    },
    {
      input: 'an entry point that ends, another user, another home',
      report: 'microsoft/vscode-remote-release#259',
      right: same(`${home} /bin/bash`),
      found: () =>
        seen(
          { changes: ['ENTRYPOINT ["/bin/false"]', 'USER nobody', 'ENV HOME=/root', 'ENV SHELL=/bin/zsh'] },
          '$HOME $SHELL',
        ),
    },
    {
      input: 'a PATH without the usual folders',
      report: 'skiffos/docker-nixos#1',
      right: same('/nix/var/nix/profiles/default/bin'),
      found: () => seen({ changes: ['ENV PATH=/nix/var/nix/profiles/default/bin'] }, '$PATH'),
    },
    {
      input: 'no shell',
      report: 'devcontainers/images#1076',
      right: unfit('has no shell that runs (/bin/sh: ENOENT), so no terminal', whole),
      found: async () =>
        refused(
          variantOf(engine.docker, await ensureTestImage(engine.docker, 'plain'), {
            run: 'rm /usr/bin/sh /usr/bin/bash',
          }),
        ),
    },
    {
      input: 'one static program',
      report: 'nexe/nexe#848',
      right: unfit('has no C library: it holds a program and no distribution', whole),
      found: async () => refused(ensureTestImage(engine.docker, 'bare')),
    },
    {
      input: 'Alpine',
      report: 'coder/code-server#5873',
      right: unfit(
        'is built on musl, the C library of Alpine, and the editor server needs glibc',
        'Choose the variant on Debian or Ubuntu: "node:22" in place of "node:22-alpine".',
      ),
      found: async () => refused(ensureTestImage(engine.docker, 'musl')),
    },
    {
      input: 'no libstdc++',
      report: 'microsoft/vscode-remote-release#9475',
      right: unfit(
        'lacks the library libstdc++.so.6',
        'Add it to the image (libstdc++6 on Debian and Ubuntu, libstdc++ on Fedora and RHEL), or choose its full variant in place of a minimal one.',
      ),
      found: async () =>
        refused(
          variantOf(engine.docker, await ensureTestImage(engine.docker, 'plain'), {
            run: 'rm /usr/lib/*/libstdc++.so.6*',
          }),
        ),
    },
    {
      input: 'for another processor',
      report: 'microsoft/vscode-remote-release#3672',
      right: unfit(
        "is made for arm64 processors, and the engine's machine has an amd64 one",
        'Choose an image, or a tag of this one, for linux/amd64; "docker manifest inspect" shows what a tag is for.',
      ),
      found: () => refused(foreignImage(engine.docker)),
    },
  ]);
});
