/** How the hashes that other systems store begin, and what they are called. Hexadecimal digits alone may be a password. */
const formats: readonly (readonly [string, RegExp])[] = [
  ['argon2', /^(\$argon2(id|i|d)\$|argon2\$argon2)/],
  ['bcrypt', /^(\$2[abxy]?\$\d\d\$[./A-Za-z0-9]{20,}|bcrypt(_sha256)?\$)/],
  ['scrypt', /^(\$scrypt\$|\$7\$|scrypt[:$])/],
  ['PBKDF2', /^(\$pbkdf2(-sha\d+)?\$|pbkdf2(_sha\d+\$|:sha\d+:)|\{PBKDF2)/i],
  ['crypt(3)', /^\$(1|5|6|y|gy|sha1)\$[^$]*\$/],
  ['WordPress', /^(\$[PH]\$[./A-Za-z0-9]{31}$|\$wp\$)/],
  ['LDAP', /^\{(S?SHA\d*|S?MD5|CRYPT|SMD5|ARGON2)\}/i],
  ['SCRAM', /^SCRAM-SHA-\d+\$\d+:/],
  ['Django', /^(md5|sha1|unsalted_md5|unsalted_sha1)\$/],
  ['Drupal', /^\$S\$[./A-Za-z0-9]{52}$/],
]

/** @returns the name of the format when a text is plainly the hash of a password, else null */
export const hashFormatOf = (text: string): string | null => formats.find(([, pattern]) => pattern.test(text.trim()))?.[0] ?? null
