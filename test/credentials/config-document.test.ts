import { describe, expect, it } from 'vitest'
import { formatConfig, keepingHelper, parseConfig, withEntry } from '../../src/credentials/config-document.ts'
import { everythingSaid } from './sandbox.ts'

describe('a config document', () => {
  it.each([
    ['{"auths": {"ghcr.io": {"auth": "hunter2"}', 'not valid JSON'],
    ['hunter2', 'not valid JSON'],
    ['["hunter2"]', 'the document has the wrong shape'],
    ['null', 'the document has the wrong shape'],
    ['{"auths": ["hunter2"]}', 'auths has the wrong shape'],
    ['{"auths": {"ghcr.io": "hunter2"}}', 'auths["ghcr.io"] has the wrong shape'],
    ['{"auths": {"ghcr.io": {"auth": ["hunter2"]}}}', 'auths["ghcr.io"]["auth"] has the wrong shape'],
    ['{"credHelpers": {"ghcr.io": 1}}', 'credHelpers["ghcr.io"] has the wrong shape'],
    ['{"credsStore": "../hunter2"}', 'credsStore has the wrong shape'],
    ['{"credsStore": "a\\\\hunter2"}', 'credsStore has the wrong shape'],
    ['{"credHelpers": {"ghcr.io": "/bin/hunter2"}}', 'credHelpers["ghcr.io"] has the wrong shape'],
  ])('that is malformed is named without its content: %s', (text, message) => {
    let error: unknown
    try {
      parseConfig(text, '/home/x/config.json')
    } catch (thrown) {
      error = thrown
    }
    expect(error).toMatchObject({ code: 'INTEGRITY', message: `/home/x/config.json: ${message}` })
    expect(everythingSaid(error)).not.toContain('hunter2')
  })

  it.each([
    '',
    ' \n',
    '{}',
    '{"auths": null, "credHelpers": null, "credsStore": null}',
    '{"auths": {"ghcr.io": null}}',
    '{"credsStore": ""}',
  ])('may be as empty as docker or an editor leaves it: %j', text => {
    expect(() => parseConfig(text, 'config')).not.toThrow()
    expect(keepingHelper(parseConfig(text, 'config'), 'ghcr.io')).toBeUndefined()
  })

  it('names the helper of the registry, before the one for all; an empty name means none', () => {
    const config = {
      credsStore: 'all',
      credHelpers: { 'https://index.docker.io/v1/': 'hub', 'quay.io': '', 'quay.io/org': 'org' },
    }
    expect(keepingHelper(config, 'docker.io')).toBe('hub')
    expect(keepingHelper(config, 'ghcr.io')).toBe('all')
    expect(keepingHelper(config, 'quay.io')).toBeUndefined()
  })

  it('keeps its fields in their order, and the entry its place, when a login is replaced', () => {
    const config = parseConfig(
      '{"z": {"y": [1]}, "auths": {"b.io": {}, "https://docker.io": {"auth": "x", "email": "e"}, "index.docker.io": {"auth": "y"}, "a.io/team": {"auth": "t"}}, "a": null}',
      'config',
    )
    const login = { kind: 'basic', username: 'u', password: 'p' } as const
    expect(formatConfig(withEntry(config, { registry: 'docker.io' }, login))).toBe(
      `{
	"z": {
		"y": [
			1
		]
	},
	"auths": {
		"b.io": {},
		"https://index.docker.io/v1/": {
			"email": "e",
			"auth": "dTpw"
		},
		"a.io/team": {
			"auth": "t"
		}
	},
	"a": null
}`,
    )
  })
})
