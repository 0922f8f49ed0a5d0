/** Bugs that `--planted` puts into the room: each must turn the checker of a fault red. */
export type PlantedBug =
  | "acks_unstored"
  | "stores_twice"
  | "hides_gaps"
  | "last_wins"
  | "skips_frames"
  | "forgets_carry"
  | "no_credit"
  | "no_socket_limit";
