import { type ConfigDocument, formatConfig, parseConfig } from './config-document.ts'
import { readText, updateText } from './text-file.ts'

/**
 * Reads a config file; undefined when there is none.
 * @throws DrayError `IO` when it cannot be read, `INTEGRITY` when it is malformed or too big
 */
export async function readConfigFile(path: string): Promise<ConfigDocument | undefined> {
  const text = await readText(path)
  return text === undefined ? undefined : parseConfig(text, path)
}

/**
 * Changes a config file as `updateText` does; nothing is written when `edit` changes nothing.
 * @throws DrayError
 */
export async function updateConfigFile(
  path: string,
  edit: (config: ConfigDocument) => ConfigDocument,
  uid?: number,
): Promise<void> {
  const change = (text: string) => {
    const before = parseConfig(text, path)
    const after = formatConfig(edit(before))
    return after === formatConfig(before) ? undefined : after
  }
  await updateText(path, change, uid)
}
