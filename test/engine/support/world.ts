import { buffer } from 'node:stream/consumers';
import type Dockerode from 'dockerode';
import { extract } from 'tar-stream';

const byInstance = (id: string) => ({ label: [`remote-swarm.instance=${id}`] });

/** What an engine has of one swarm or instance, asked of the engine itself and not through any provider. */
export class EngineWorld {
  readonly #docker: Dockerode;

  constructor(docker: Dockerode) {
    this.#docker = docker;
  }

  /** Names of containers, volumes and networks that the engine has beyond those of an earlier call. */
  async inventory(): Promise<string[]> {
    const [containers, { Volumes }, networks] = await Promise.all([
      this.#docker.listContainers({ all: true }),
      this.#docker.listVolumes(),
      this.#docker.listNetworks(),
    ]);
    return [
      ...containers.map(({ Names }) => `container ${Names[0]}`),
      ...(Volumes ?? []).map(({ Name }) => `volume ${Name}`),
      ...networks.map(({ Name }) => `network ${Name}`),
    ].sort();
  }

  /** Containers of the instance, by name. */
  async containers(id: string): Promise<string[]> {
    const rows = await this.#docker.listContainers({ all: true, filters: byInstance(id) });
    return rows.map(({ Names }) => Names[0]?.slice(1) ?? '');
  }

  /** The one container of the instance, whatever its role and owner. */
  async container(id: string): Promise<Dockerode.Container> {
    const [name = id] = await this.containers(id);
    return this.#docker.getContainer(name);
  }

  async exists(id: string): Promise<boolean> {
    const { Volumes } = await this.#docker.listVolumes({ filters: { name: [id] } });
    return (Volumes ?? []).length > 0 || (await this.containers(id)).length > 0;
  }

  /** A file's text, or a link's target; undefined when it is not there. The container may be in any state. */
  async readFile(id: string, file: string): Promise<string | undefined> {
    const [name] = await this.containers(id);
    if (!name) return undefined;
    try {
      const archive = await this.#docker.getContainer(name).getArchive({ path: file });
      for await (const entry of (archive as NodeJS.ReadableStream).pipe(extract())) {
        const { type, linkname } = entry.header;
        return type === 'symlink' ? (linkname ?? '') : (await buffer(entry)).toString();
      }
    } catch (error) {
      if ((error as { statusCode?: number }).statusCode !== 404) throw error;
    }
    return undefined;
  }

  /** All that the engine tells about the instance to anybody who may talk to it, without looking into files. */
  async publicText(id: string): Promise<string> {
    const [name = ''] = await this.containers(id);
    const container = this.#docker.getContainer(name);
    const facts = await Promise.all([
      container.inspect(),
      container.top({ ps_args: '-ef' }),
      this.#docker.getVolume(`remote-swarm-${id}`).inspect(),
      this.#docker.listContainers({ all: true, filters: byInstance(id) }),
    ]);
    const log = await container.logs({ stdout: true, stderr: true, follow: false });
    return `${JSON.stringify(facts)}\n${log.toString()}`;
  }

  /** Runs a command in the instance's container, past its launcher and its variables, and waits for its end. */
  async exec(id: string, ...argv: string[]): Promise<string> {
    const [name = ''] = await this.containers(id);
    const exec = await this.#docker
      .getContainer(name)
      .exec({ Cmd: argv, AttachStdout: true, AttachStderr: true, Tty: true });
    return (await buffer(await exec.start({ hijack: true, stdin: false, Tty: true }))).toString();
  }

  /** Removes containers, volumes and networks of a swarm, whatever made them. */
  async removeSwarm(swarmId: string): Promise<void> {
    const filters = { label: [`remote-swarm.swarm=${swarmId}`] };
    for (const { Id } of await this.#docker.listContainers({ all: true, filters })) {
      await this.#docker.getContainer(Id).remove({ force: true, v: true });
    }
    const { Volumes } = await this.#docker.listVolumes({ filters });
    for (const { Name } of Volumes ?? []) await this.#docker.getVolume(Name).remove();
    for (const { Id } of await this.#docker.listNetworks({ filters })) await this.#docker.getNetwork(Id).remove();
  }
}
