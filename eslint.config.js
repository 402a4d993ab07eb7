// Each rule that differs from the recommended set carries its reason.
import tseslint from "typescript-eslint";

export default tseslint.config(
  { ignores: ["dist/**", "node_modules/**", "docs/**", "build/**"] },
  ...tseslint.configs.recommendedTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: { allowDefaultProject: ["eslint.config.js"] }, tsconfigRootDir: import.meta.dirname } },
    rules: {
      // A promise nobody waits for is an error nobody sees.
      "@typescript-eslint/no-floating-promises": "error",
      // An unknown value is narrowed, never waved through.
      "@typescript-eslint/no-explicit-any": "error",
      // A union that grows must break every switch over it.
      "@typescript-eslint/switch-exhaustiveness-check": ["error", { considerDefaultExhaustiveForUnions: true }],
      // Names of types are imported as types, so that they cost nothing at start.
      "@typescript-eslint/consistent-type-imports": "error",
      // Methods that satisfy an async interface need not await.
      "@typescript-eslint/require-await": "off",
      // `_name` marks what an interface demands and this implementation does not need.
      "@typescript-eslint/no-unused-vars": ["error", { argsIgnorePattern: "^_", varsIgnorePattern: "^_" }],
      // Numbers in messages are what messages are for.
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true, allowBoolean: true }],
    },
  },
);
