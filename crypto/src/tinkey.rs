//! A data key in the words of Google's Tink, so that an auditor opens our streams without us.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::SecretBytes;
use crate::stream::{CHUNK_LEN, DataKey};

/// Writes a data key as a cleartext JSON keyset of Tink with one enabled key, as its
/// `JsonKeysetReader` reads it: type `AesGcmHkdfStreamingKey`, parameters of
/// `AES256_GCM_HKDF_1MB`, output prefix RAW.
///
/// Tink's `StreamingAead` opens the streams of the key with it, given the context's bytes as
/// associated data. The text is as secret as the key. `key_id` names the key inside the keyset
/// and has no other meaning.
#[must_use]
pub fn keyset(key: &DataKey, key_id: u32) -> SecretBytes {
    let value = Zeroizing::new(STANDARD.encode(serialized_key(key).expose()));
    let before = format!(
        r#"{{"primaryKeyId":{key_id},"key":[{{"keyData":{{"typeUrl":"{TYPE_URL}","value":""#
    );
    let after = format!(
        r#"","keyMaterialType":"SYMMETRIC"}},"status":"ENABLED","keyId":{key_id},"outputPrefixType":"RAW"}}]}}"#
    );
    // One allocation of the whole length, so that no grown-out-of copy of the key stays behind.
    let mut json = Vec::with_capacity(before.len() + value.len() + after.len());
    json.extend_from_slice(before.as_bytes());
    json.extend_from_slice(value.as_bytes());
    json.extend_from_slice(after.as_bytes());
    SecretBytes::new(json)
}

/// The protocol buffer
/// [`AesGcmHkdfStreamingKey`](https://github.com/tink-crypto/tink-java/blob/main/proto/aes_gcm_hkdf_streaming.proto):
/// `version` 0 (left out, as proto3 does), `params` 2, `key_value` 3.
fn serialized_key(key: &DataKey) -> SecretBytes {
    let mut params = vec![tag(1, VARINT)];
    push_varint(&mut params, CHUNK_LEN);
    params.extend_from_slice(&[tag(2, VARINT), DERIVED_KEY_SIZE, tag(3, VARINT), HASH_SHA256]);

    let mut out = Vec::with_capacity(64);
    out.push(tag(2, BYTES));
    push_varint(&mut out, params.len());
    out.extend_from_slice(&params);
    out.push(tag(3, BYTES));
    push_varint(&mut out, key.secret().expose().len());
    out.extend_from_slice(key.secret().expose());
    SecretBytes::new(out)
}

const fn tag(field: u8, wire_type: u8) -> u8 {
    field << 3 | wire_type
}

fn push_varint(out: &mut Vec<u8>, mut value: usize) {
    while value >= 0x80 {
        out.push(u8::try_from(value & 0x7f).expect("seven bits fit in eight") | 0x80);
        value >>= 7;
    }
    out.push(u8::try_from(value).expect("less than 0x80"));
}

const TYPE_URL: &str = "type.googleapis.com/google.crypto.tink.AesGcmHkdfStreamingKey";
const VARINT: u8 = 0;
const BYTES: u8 = 2;
const DERIVED_KEY_SIZE: u8 = 32;
/// `HashType.SHA256` of Tink's `common.proto`.
const HASH_SHA256: u8 = 3;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Secret32;

    fn key() -> DataKey {
        let bytes: Vec<u8> = (0..32).collect();
        DataKey::from_secret(Secret32::from_slice(&bytes).unwrap())
    }

    #[test]
    fn keyset_is_what_tink_writes() {
        let text = keyset(&key(), 7);
        let ours: serde_json::Value = serde_json::from_slice(text.expose()).unwrap();
        let theirs: serde_json::Value = serde_json::from_str(GOLDEN).unwrap();
        assert_eq!(ours, theirs);
    }

    #[test]
    fn key_id_is_written_as_an_unsigned_number() {
        let text = keyset(&key(), u32::MAX);
        let keyset: serde_json::Value = serde_json::from_slice(text.expose()).unwrap();
        assert_eq!(keyset["primaryKeyId"], u32::MAX);
        assert_eq!(keyset["key"][0]["keyId"], u32::MAX);
    }

    /// Written by Tink 1.16.1 for Python and its protocol buffers.
    const GOLDEN: &str = r#"{"primaryKeyId": 7, "key": [{"keyData": {
        "typeUrl": "type.googleapis.com/google.crypto.tink.AesGcmHkdfStreamingKey",
        "value": "EggIgIBAECAYAxogAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        "keyMaterialType": "SYMMETRIC"}, "status": "ENABLED", "keyId": 7,
        "outputPrefixType": "RAW"}]}"#;
}
