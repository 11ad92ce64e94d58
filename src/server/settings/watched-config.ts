import { DrayError } from '../../errors.ts'
import type { AccessRules, AccessSource } from '../auth/rules.ts'
import { FileStamps } from '../file-stamps.ts'
import { readServeConfig, type ServeConfig } from './config-file.ts'

/** A file that says how a folder is served, and is looked at again for changes. */
export interface WatchedConfig {
  /** As it was at the start. */
  readonly config: ServeConfig
  /** Its rules and groups as they are. */
  readonly access: AccessSource
}

/**
 * Reads a file as `readServeConfig` does. Of later changes those of rules and groups count, and `onWarning` is told of
 * others. Rules that are all gone stay in force: a file that is being written must not open the registry for a moment.
 * @throws DrayError `USAGE`, `IO`
 */
export async function watchServeConfig(
  file: string,
  homeDir: string,
  onWarning: (message: string) => void,
): Promise<WatchedConfig> {
  const stamps = await FileStamps.of([file])
  const config = await readServeConfig(file, homeDir)
  let current = rulesOf(config)
  const reload = async () => {
    const changed = await stamps.readIfChanged(() => readServeConfig(file, homeDir))
    if (changed === undefined) return
    const rules = rulesOf(changed)
    if (rules === undefined && current !== undefined) {
      throw new DrayError('USAGE', `${file}: to serve without rules takes a new start`)
    }
    current = rules
    const others = otherChanges(config, changed)
    if (others.length > 0) onWarning(`${file}: what has changed of ${others.join(', ')} takes a new start`)
  }
  const access = {
    get current() {
      return current
    },
    reload,
  }
  return { config, access }
}

function rulesOf({ rules, groups }: ServeConfig): AccessRules | undefined {
  return rules && { rules, groups }
}

function otherChanges(before: ServeConfig, after: ServeConfig): string[] {
  const keys = Object.keys({ ...before, ...after }) as (keyof ServeConfig)[]
  return keys.filter(key => {
    if (key === 'rules' || key === 'groups') return false
    return JSON.stringify(before[key]) !== JSON.stringify(after[key])
  })
}
