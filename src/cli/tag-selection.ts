/** The values of `--sort`. */
export const tagSorts = ['name', 'semver', 'natural', 'none'] as const

/**
 * - `name`: by character codes
 * - `natural`: runs of digits compare as numbers, so `3.9` comes before `3.10`
 * - `semver`: semantic versions by their precedence, after all other tags, which are in natural order
 * - `none`: as the registry lists them
 */
export type TagSort = (typeof tagSorts)[number]

/** Which tags are wanted, and in which order. */
export interface TagSelection {
  /**
   * Only tags that are full semantic versions, with or without a leading `v`, within this range (npm's syntax).
   * A pre-release such as `1.2.3-rc.1` or `1.2.3-alpine` counts only where the range itself names a pre-release of the
   * same version (`>=1.2.3-0`), or with `prerelease`.
   */
  readonly semver?: string | undefined
  readonly prerelease?: boolean | undefined
  /** Only tags that match: a glob (`*`, `?`, `[a-z]`, `\`), or a regular expression between slashes. */
  readonly match?: string | undefined
  /** Default `none`; with `latest`, newest first. */
  readonly sort?: TagSort | undefined
  /** Turns the order around, after everything else. */
  readonly reverse?: boolean | undefined
  /**
   * Only so many of the newest. Where there are releases among the tags, only they are looked at; else pre-releases;
   * where there are no versions at all, the last in natural order. With `prerelease` or a range, versions of both kinds.
   */
  readonly latest?: number | undefined
}
