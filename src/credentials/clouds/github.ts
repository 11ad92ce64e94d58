import type { Cloud, CloudContext } from './cloud.ts'

/**
 * `GITHUB_TOKEN` of a GitHub Actions job, for ghcr.io. Not in a job of another GitHub server (`GITHUB_SERVER_URL`): its
 * token must not go to github.com. `GH_TOKEN` is left alone: it is `gh`'s, and seldom may read packages.
 */
export function github({ env }: CloudContext): Cloud {
  const isOfGithub = /^https:\/\/github\.com\/?$/i.test(env.GITHUB_SERVER_URL || 'https://github.com')
  return {
    name: 'GitHub Actions',
    isFor: registry => registry === 'ghcr.io' && isOfGithub,
    ways: [
      {
        variables: ['GITHUB_TOKEN'],
        // Any username will do, but not an empty one.
        find: async () => ({
          credential: {
            kind: 'basic',
            username: env.GITHUB_ACTOR || 'github-actions',
            password: env.GITHUB_TOKEN ?? '',
          },
        }),
      },
    ],
  }
}
