import * as vscode from 'vscode';
import { messageOf, notJson } from '../../model/errors.ts';
import type { Face } from '../face.ts';
import { freeName } from '../freeName.ts';
import { instanceTemplate, inWizardWords, parseInstanceText } from '../instanceTemplate.ts';
import { t } from '../translate.ts';
import { createInstance } from './createInstance.ts';

/** Opens a document to write an instance by hand. */
export async function createFromJson(face: Face): Promise<void> {
  const { controller } = await face.host.core();
  const name = freeName(controller.listInstances().map(({ config }) => config.name));
  const limits = controller.providers.all().every(({ abilities }) => abilities.limits);
  const content = instanceTemplate(name, limits);
  const document = await vscode.workspace.openTextDocument({ language: 'json', content });
  await face.documents.noteTemplate(document);
  await vscode.window.showTextDocument(document, { preview: false });
  void vscode.window.showInformationMessage(
    t('Edit the document, then press the rocket in its title. Fields that you remove get their default.'),
  );
}

/** Creates an instance from the document in front. */
export async function createFromThisDocument(face: Face): Promise<void> {
  const document = vscode.window.activeTextEditor?.document;
  if (!document) return;
  let input: unknown;
  try {
    input = parseInstanceText(document.getText());
  } catch (error) {
    throw notJson(t('The document'), messageOf(error).replace(/ is not valid JSON$/, ''));
  }
  await createInstance(face, input).catch(error => {
    throw inWizardWords(error);
  });
}
