import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import type { RecordOf } from "../model/message_codec.ts";

/** The record that the messages of a type are written from. */
export type WireRecord<T extends DescMessage> = RecordOf<MessageShape<T>>;
