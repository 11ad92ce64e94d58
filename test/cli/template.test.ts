import { describe, expect, it } from 'vitest'
import { parseTemplate } from '../../src/cli/template.ts'

const document = {
  digest: 'sha256:ab',
  mediaType: 'application/json',
  size: 12,
  isIndex: false,
  created: null,
  config: { env: ['A=1', 'B=2'], user: '', labels: { 'a.b': 'dotted', plain: 'x' } },
  tags: ['v1', 'v2'],
  platforms: [
    { platform: 'linux/amd64', digest: 'sha256:1' },
    { platform: 'linux/arm64', digest: 'sha256:2' },
  ],
}

const fill = (template: string) => parseTemplate(template)(document)

describe('a template', () => {
  it.each([
    ['{{.Digest}}', 'sha256:ab'],
    ['{{ .digest }}', 'sha256:ab'],
    ['{{.MediaType}} {{.Size}} {{.IsIndex}}', 'application/json 12 false'],
    ['{{.Config.Env}}', '["A=1","B=2"]'],
    ['{{.Config.Labels.plain}}', 'x'],
    ['{{index .Config.Labels "a.b"}}', 'dotted'],
    ['{{index .Config.Labels "missing"}}|', '|'],
    ['{{index .Config.Labels `a.b`}}', 'dotted'],
    ['{{index .Tags 1}}', 'v2'],
    ['{{index .Platforms 0 "digest"}}', 'sha256:1'],
    ['{{json .Tags}}', '["v1","v2"]'],
    ['{{json .Created}}{{json .Digest}}', 'null"sha256:ab"'],
    ['{{json .}}', JSON.stringify(document)],
    ['{{range .Tags}}{{.}}{{"\\n"}}{{end}}', 'v1\nv2\n'],
    ['{{range .Tags}}{{.}}\\n{{end}}', 'v1\nv2\n'],
    [
      '{{range .Platforms}}{{.Platform}}\\t{{.Digest}}\\n{{end}}',
      'linux/amd64\tsha256:1\nlinux/arm64\tsha256:2\n',
    ],
    [
      '{{range .Platforms}}{{range .}}<{{.}}>{{end}}{{end}}',
      '<linux/amd64><sha256:1><linux/arm64><sha256:2>',
    ],
    ['{{range .Created}}x{{end}}', ''],
    ['{{.Created}}{{.Created.Whatever}}', ''],
    ['{{"}}"}} \\\\ {}', '}} \\ {}'],
    ['no action', 'no action'],
    ['', ''],
  ])('%s prints %j', (template, wanted) => {
    expect(fill(template)).toBe(wanted)
  })

  it('prefers a field of exactly that name over one in another case', () => {
    expect(parseTemplate('{{.ID}}')({ id: 'a', ID: 'b' })).toBe('b')
  })

  it('lists the known fields when it meets an unknown one', () => {
    expect(() => fill('{{.Config.Envv}}')).toThrow(
      expect.objectContaining({
        code: 'USAGE',
        message: '--format: unknown field ".Envv"',
        hint: 'known fields: .Env, .User, .Labels',
      }),
    )
  })

  it('shows how to get at a key with dots in it, which is no field', () => {
    const labels = { config: { labels: { 'org.example.title': 'x' } } }
    expect(() => parseTemplate('{{.Config.Labels.org}}')(labels)).toThrow(
      expect.objectContaining({ hint: 'known fields: {{index … "org.example.title"}}' }),
    )
  })

  it.each([
    '{{.Digest.Hex}}',
    '{{.Tags.Name}}',
    '{{.Constructor}}',
    '{{.__proto__}}',
    '{{.ToString}}',
    '{{.Size.toFixed}}',
  ])('refuses %s, which the document does not have', template => {
    expect(() => fill(template)).toThrow(expect.objectContaining({ code: 'USAGE' }))
  })

  it('never looks past the document’s own keys', () => {
    expect(fill('{{index .Config.Labels "constructor"}}|{{index .Config "__proto__"}}')).toBe('|')
  })

  it('refuses an element that a list does not have', () => {
    expect(() => fill('{{index .Tags 2}}')).toThrow('index 2 is not in a list of 2')
  })

  it.each([
    '{{',
    '{{.Digest',
    '{{.Digest}',
    '{{}}',
    '{{end}}',
    '{{range .Tags}}',
    '{{range}}x{{end}}',
    '{{.Digest .Size}}',
    '{{.Digest | json}}',
    '{{if .Digest}}x{{end}}',
    '{{printf "%s" .Digest}}',
    '{{index .Tags}}',
    '{{index .Tags x}}',
    '{{json}}',
    '{{json index .Tags 0}}',
    '{{.a-b}}',
    '{{Digest}}',
    '{{"\\q"}}',
    '{{"open}}',
  ])('cannot be %s, and says so before there is a document', template => {
    expect(() => parseTemplate(template)).toThrow(expect.objectContaining({ code: 'USAGE' }))
  })
})
