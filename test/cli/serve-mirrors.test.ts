import { describe, expect, it } from 'vitest'
import { parseMirror } from '../../src/cli/serve-mirrors.ts'

describe('a mirror of the command line', () => {
  it.each([
    ['docker.io=https://registry-1.docker.io', 'docker.io', 'docker.io', false, ''],
    ['docker.io=https://registry-1.docker.io/v2/', 'docker.io', 'docker.io', false, ''],
    ['local=http://127.0.0.1:5000', 'local', '127.0.0.1:5000', true, ''],
    ['local=https://127.0.0.1:5000/', 'local', '127.0.0.1:5000', false, ''],
    ['hub=https://harbor.example.com/hub-proxy/', 'hub', 'harbor.example.com', false, 'hub-proxy/'],
    ['hub=https://harbor.example.com/v2/a/b', 'hub', 'harbor.example.com', false, 'a/b/'],
  ])('%s is read', (text, name, registry, plainHttp, prefix) => {
    expect(parseMirror(text)).toEqual({ name, registry, plainHttp, prefix })
  })

  it.each([
    '',
    '=https://ghcr.io',
    'ghcr.io',
    'ghcr.io=',
    'ghcr.io=ftp://ghcr.io',
    'ghcr.io=https://ghcr.io?x',
    'ghcr.io=https://ghcr.io/A',
    'ghcr.io:443=https://ghcr.io',
    'a/b=https://ghcr.io',
  ])('%j is none', text => {
    expect(() => parseMirror(text)).toThrow(expect.objectContaining({ code: 'USAGE' }))
  })

  it('shows no password that it holds', () => {
    expect(() => parseMirror('ghcr.io=https://mira:secret@ghcr.io')).toThrow(
      /^the address of the mirrored registry ghcr\.io must hold no login$/,
    )
  })
})
