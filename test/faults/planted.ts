/** Bugs that `--planted` puts in: each must turn the checker of a fault red. */

/** Of the log room. */
export type RoomBug =
  | "acks_unstored"
  | "stores_twice"
  | "hides_gaps"
  | "last_wins"
  | "skips_frames"
  | "forgets_carry"
  | "no_credit"
  | "no_socket_limit"
  | "no_message_limit";

/** Of whoever rotates the signing key. */
export type RotationBug = "signs_unannounced" | "overwrites_early";

export type PlantedBug = RoomBug | RotationBug;
