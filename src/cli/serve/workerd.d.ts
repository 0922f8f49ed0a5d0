/** A CommonJS package without types of its own: it exports the path of the program as `default`. */
declare module "workerd" {
  const exported: { readonly default: string };
  export default exported;
}
