import type { DrayError } from '../errors.ts'
import { error, type Issue, warning } from './finding.ts'

/**
 * What an error says of the content that it was met in. What this program cannot do is no fault of the content's.
 * @param name what the content is called in messages; the place tells it already
 */
export function issueOf({ code, message }: DrayError, name: string): Issue {
  const prefix = `${name}: `
  const what = message.startsWith(prefix) ? message.slice(prefix.length) : message
  return code === 'UNSUPPORTED' ? warning(`not looked into: ${what}`) : error(what)
}
