import type { MachineIdentity } from '../model/machineIdentity.ts';
import type { WebSettings } from '../model/webSettings.ts';

/** What the composition root gives every provider of this machine. All paths are absolute. */
export interface ProviderEnvironment {
  /** Where the local provider keeps its instances when its settings name no directory. */
  readonly localDirectory: string;
  /** `media/instance/launcher.mjs` of this extension. */
  readonly launcher: string;
  /** Where `installEditorServer` puts the editor server that is used when the machine has none. */
  readonly editorServerDirectory: string;
  /** The machine that this process runs on. */
  readonly machine: MachineIdentity;
  /** What the editor's settings say of the way to the web, where there is an editor. */
  webSettings?(): WebSettings;
  /** A credential from the secret storage; undefined when there is none of that name. */
  readSecret(name: string): Promise<string | undefined>;
}
