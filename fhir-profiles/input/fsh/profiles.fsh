// What a valid record is at this gateway. Compiled by SUSHI to generated/, which is committed.

Profile: PmrPatient
Parent: Patient
Id: pmr-patient
Title: "Patient registered by a hospital"
* identifier 1..*
* identifier.system 1..1
* identifier.value 1..1
* name 1..*
* gender 1..1
* birthDate 1..1

Profile: PmrDocumentReference
Parent: DocumentReference
Id: pmr-document-reference
Title: "Document of a patient"
* status MS
* type 1..1
* subject 1..1
* subject only Reference(Patient)
* date 1..1
* content 1..*
* content.attachment.contentType 1..1

Profile: PmrConsent
Parent: Consent
Id: pmr-consent
Title: "Privacy consent that becomes an on-chain grant (in the shape of IHE PCF)"
* scope = http://terminology.hl7.org/CodeSystem/consentscope#patient-privacy
* patient 1..1
* dateTime 1..1
* policy 1..*
* policy.uri 1..1
* provision 1..1
* provision.type 1..1
* provision.dataPeriod 0..0
* provision.data 0..0
* provision.provision.provision 0..0

Profile: PmrOrganization
Parent: Organization
Id: pmr-organization
Title: "Hospital or insurer"
* active 1..1
* type 1..*
* name 1..1
* address 1..*

Profile: PmrPractitioner
Parent: Practitioner
Id: pmr-practitioner
Title: "Doctor"
* identifier 1..*
* identifier.system 1..1
* identifier.value 1..1
* name 1..*
* telecom 1..*

Profile: PmrPractitionerRole
Parent: PractitionerRole
Id: pmr-practitioner-role
Title: "A doctor's place at a hospital: registration number, specialisation, phone"
* active 1..1
* identifier 1..*
* identifier.value 1..1
* practitioner 1..1
* organization 1..1
* specialty 1..*
* telecom 1..*
* telecom.system 1..1
* telecom.value 1..1

Extension: PmrConsentIntent
Id: pmr-consent-intent
Title: "The patient's own EIP-712 signature over the grant that a Consent becomes, or (without salt) over the revocation of what it granted before"
Context: Consent
* extension contains salt 0..1 and nonce 1..1 and deadline 1..1 and signature 1..1
* extension[salt].value[x] only base64Binary
* extension[nonce].value[x] only string
* extension[deadline].value[x] only string
* extension[signature].value[x] only base64Binary

Extension: PmrBreakGlassPolicy
Id: pmr-break-glass-policy
Title: "Where a hospital's standing policy on breaking the glass is published"
Context: Organization
* value[x] only url
* value[x] 1..1

CodeSystem: PmrTask
Id: pmr-task
Title: "Tasks before the office of a hospital, and how they end"
* ^caseSensitive = true
* ^content = #complete
* #break-glass-review "To review that the glass was broken: justified or not-justified"
* #correction-request "A patient asks that something in the record be corrected: corrected or refused"
* #supply-request "A patient asks for a copy of the record: supplied or refused"
* #legal-hold "Nothing of the patient is past retention, and nothing of it is deleted, until it is lifted"
* #justified "The break of the glass was justified"
* #not-justified "The break of the glass was not justified"
* #corrected "The record was corrected"
* #supplied "The copy was supplied"
* #refused "What was asked for is refused"
* #lifted "The hold is lifted"
* #evidence "The record that shows what was done"
