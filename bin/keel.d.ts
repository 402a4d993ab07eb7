/** A file without an ending: the bundler puts keel into the executable and makes its import the path of the copy. */
declare module "*/dist/keel" {
  const path: string;
  export default path;
}
